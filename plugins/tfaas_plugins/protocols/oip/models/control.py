"""The repository extension: which models there are, and loading and unloading them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from tfaas_core.errors import BadBody, DoesNotFit, TfaasError, Unavailable, UnknownModel
from tfaas_core.models.versions import Model
from tfaas_core.route import Request, Response, json_response
from tfaas_core.texts.json_text import read_fields_of
from tfaas_plugins.protocols.answers import answered
from tfaas_plugins.protocols.oip.models.models import OipModels
from tfaas_plugins.protocols.unloaded import UnloadedModels

_LIKE = '{"parameters": {}}'
_UNLOADED = "unloaded"


class RepositoryApi:
    """Handlers over one Host. ``unloaded``: None if no model may be loaded and unloaded."""

    def __init__(self, models: OipModels, unloaded: UnloadedModels | None) -> None:
        self._models = models
        self._host = models.host
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
        return json_response(await self.entries(request, ready))

    async def entries(self, request: Request, ready: bool) -> list[dict[str, Any]]:
        """One for each version, of models that ``request`` may see; ``ready``: of these alone."""
        seen = await self._models.seen(request)
        entries = [entry for model in seen for entry in self._entries(model)]
        return [each for each in entries if not ready or each["state"] == "READY"]

    def _entries(self, model: Model) -> list[dict[str, Any]]:
        is_unloaded = self._models.is_unloaded(model.name)
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
        return await answered(self._changed(request, self.load_model))

    async def unload(self, request: Request) -> Response:
        """``POST /v2/repository/models/NAME/unload``: from then on it is refused."""
        return await answered(self._changed(request, self.unload_model))

    async def _changed(
        self, request: Request, change: Callable[[str], Awaitable[None]]
    ) -> Response:
        self.check_allowed()
        if request.body.strip():
            parameters = read_fields_of(request.body, _LIKE).get("parameters") or {}
            if not isinstance(parameters, dict):
                raise BadBody("Unable to parse 'parameters': expected an object")
            check_parameters(parameters)
        await change(request.path_fields["name"])
        return Response()

    def check_allowed(self) -> None:
        """Raises Unavailable unless models may be loaded and unloaded."""
        self._noted()

    def _noted(self) -> UnloadedModels:
        if self._unloaded is None:
            raise Unavailable(
                "explicit model load / unload is not allowed; "
                "model_control = true of [plugins.oip] in tfaas.toml allows it"
            )
        return self._unloaded

    async def load_model(self, name: str) -> None:
        """Waits until it is loaded. Raises BadBody for one that is not there, and DoesNotFit."""
        unloaded, model = self._noted(), self._model(name, "load")
        try:
            await self._host.engine.ready(model.live)
        except TfaasError as error:
            why = error.told()
            raise DoesNotFit(f"failed to load {name!r}: {why}") from None
        unloaded.remove(name)

    async def unload_model(self, name: str) -> None:
        """From now on it is refused. Raises BadBody for one that is not there."""
        unloaded, model = self._noted(), self._model(name, "unload")
        unloaded.add(name)
        for version in model.versions:
            self._host.engine.retire(version)

    def _model(self, name: str, doing: str) -> Model:
        try:
            return self._host.catalog.model(name)
        except UnknownModel:
            raise BadBody(
                f"failed to {doing} {name[:140]!r}, failed to poll from model repository"
            ) from None


def check_parameters(names: Iterable[str]) -> None:
    """Raises BadBody for parameters of a load that would change what is loaded."""
    for name in names:
        if name == "config" or name.startswith("file:"):
            raise BadBody(
                f"the parameter {name[:80]!r} would replace a model's files; upload it by /upload"
            )
