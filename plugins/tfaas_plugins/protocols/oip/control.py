"""The repository extension: which models there are, and loading and unloading them."""

from __future__ import annotations

from typing import Any

from tfaas_core.errors import BadBody, DoesNotFit, TfaasError, Unavailable, UnknownModel
from tfaas_core.host import Host
from tfaas_core.json_text import read_fields_of
from tfaas_core.models.versions import Model
from tfaas_core.route import Request, Response, json_response, visible_models
from tfaas_plugins.protocols.answers import answered
from tfaas_plugins.protocols.unloaded import UnloadedModels

_LIKE = '{"parameters": {}}'
_UNLOADED = "unloaded"


class RepositoryApi:
    """Handlers over one Host. ``unloaded``: None if no model may be loaded and unloaded."""

    def __init__(self, host: Host, unloaded: UnloadedModels | None) -> None:
        self._host = host
        self._unloaded = unloaded

    async def index(self, request: Request) -> Response:
        """``POST /v2/repository/index``, perhaps of ``{"ready": true}``: one entry per version."""
        return await answered(self._index(request))

    async def _index(self, request: Request) -> Response:
        ready = False
        if request.body.strip():
            fields = read_fields_of(request.body, '{"ready": true}')
            ready = fields.get("ready", False)
            if type(ready) is not bool:
                raise BadBody("Invalid value for 'ready': expected a boolean")
        models = self._host.catalog.list()
        visible = await visible_models(request, [model.name for model in models])
        entries = [entry for m in models if m.name in visible for entry in self._entries(m)]
        return json_response([e for e in entries if not ready or e["state"] == "READY"])

    def _entries(self, model: Model) -> list[dict[str, Any]]:
        is_unloaded = self._unloaded is not None and self._unloaded.holds(model.name)
        return [
            {
                "name": model.name,
                "version": str(version.version),
                "state": "UNAVAILABLE" if is_unloaded else "READY",
                "reason": _UNLOADED if is_unloaded else "",
            }
            for version in model.versions
        ]

    async def load(self, request: Request) -> Response:
        """``POST /v2/repository/models/NAME/load``: answers when the model is loaded."""
        return await answered(self._load(request))

    async def unload(self, request: Request) -> Response:
        """``POST /v2/repository/models/NAME/unload``: from then on it is refused."""
        return await answered(self._unload(request))

    async def _load(self, request: Request) -> Response:
        model, unloaded = self._model(request)
        try:
            await self._host.engine.ready(model.live)
        except TfaasError as error:
            raise DoesNotFit(f"failed to load {model.name!r}: {error.message}") from None
        unloaded.remove(model.name)
        return Response()

    async def _unload(self, request: Request) -> Response:
        model, unloaded = self._model(request)
        unloaded.add(model.name)
        for version in model.versions:
            self._host.engine.retire(version)
        return Response()

    def _model(self, request: Request) -> tuple[Model, UnloadedModels]:
        name = request.path_fields["name"]
        if self._unloaded is None:
            raise Unavailable(
                "explicit model load / unload is not allowed; "
                "model_control = true of [plugins.oip] in tfaas.toml allows it"
            )
        _check_parameters(request.body)
        try:
            return self._host.catalog.model(name), self._unloaded
        except UnknownModel:
            raise BadBody(
                f"failed to load {name[:140]!r}, failed to poll from model repository"
            ) from None


def _check_parameters(body: bytes) -> None:
    if not body.strip():
        return
    parameters = read_fields_of(body, _LIKE).get("parameters") or {}
    if not isinstance(parameters, dict):
        raise BadBody("Unable to parse 'parameters': expected an object")
    for key in parameters:
        if key == "config" or key.startswith("file:"):
            raise BadBody(
                f"the parameter {key[:80]!r} would replace a model's files; upload it by /upload"
            )
