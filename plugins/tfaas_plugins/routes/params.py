"""The endpoints of params.json and of the default model: /params."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tfaas_core.errors import DoesNotFit
from tfaas_core.hookspecs import hookimpl
from tfaas_core.host import Host
from tfaas_core.models.model import ModelVersion
from tfaas_core.operation import OBJECT, Operation, object_of
from tfaas_core.route import Request, Response, Route, admit, json_response
from tfaas_core.texts.json_text import read_fields_of
from tfaas_core.texts.spelling import respelled

_SHOWN = ("name", "model", "labels", "options", "inputNode", "outputNode", "description")
"""What is shown of a model that was uploaded without params: the classic fields, as found."""


_SHOWS = Operation("shows a model's params.json", answer=OBJECT)
_SHOWS_DEFAULT = Operation("shows that of the default model", answer=OBJECT, statuses=(404,))
_CHOOSES = Operation(
    "chooses the default model",
    takes=("application/json",),
    body=object_of(("name",), name="string"),
    answer=OBJECT,
)


class ParamsApi:
    """Handlers over one Host."""

    def __init__(self, host: Host) -> None:
        self._host = host

    async def show(self, request: Request) -> Response:
        """``GET /params/NAME``: the params.json that was uploaded, or what stands in for it."""
        version = self._host.catalog.get(request.path_fields["name"])
        return json_response(version.params or _found(version))

    async def show_default(self, request: Request) -> Response:
        """``GET /params``: the same of the default model, with its name."""
        await admit(request, self._host.catalog.get(None).name)
        return self._default()

    async def choose_default(self, request: Request) -> Response:
        """``POST /params`` of ``{"name": NAME}``: makes it the default model, until an upload."""
        configured = self._host.config.models.default
        if configured:
            raise DoesNotFit(
                f"the default model is fixed as {configured!r} by models.default in the server's "
                "configuration",
                field="name",
            )
        name = _name(request.body)
        await admit(request, name)
        await self._host.publisher.choose_default(name)
        return self._default()

    def _default(self) -> Response:
        version = self._host.catalog.get(None)
        # A bundle's params may have another name than the one that it was uploaded under.
        shown = version.params or _found(version)
        return json_response({"name": version.name} | shown | {"name": version.name})


def _found(version: ModelVersion) -> dict[str, Any]:
    document = version.document()
    return {key: document[key] for key in _SHOWN}


def _name(body: bytes) -> str:
    """``name`` of a JSON object, or ``model`` if that is missing."""
    document = read_fields_of(body, '{"name": "vk"}')
    fields = respelled(document, ("name", "model"))
    name = fields.get("name") or fields.get("model")
    if not isinstance(name, str):
        raise DoesNotFit('the body names no model; send {"name": "vk"}', field="name")
    return name


@hookimpl
def tfaas_register_routes(host: Host) -> Iterable[Route]:
    api = ParamsApi(host)
    return [
        Route("/params", ("GET",), api.show_default, operation=_SHOWS_DEFAULT),
        Route("/params", ("POST",), api.choose_default, operation=_CHOOSES),
        Route("/params/{name}", ("GET",), api.show, operation=_SHOWS),
    ]
