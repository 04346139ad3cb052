"""Facts: what the Open Inference Protocol tells of a server and its models, over REST and gRPC."""

from __future__ import annotations

from typing import Any

from tfaas_core import __version__
from tfaas_core.errors import TfaasError, UnknownModel
from tfaas_core.host import Host
from tfaas_core.models.model import ModelVersion
from tfaas_core.models.versions import Model
from tfaas_core.predict.predictor import Target
from tfaas_core.route import Request, admit, visible_models
from tfaas_plugins.protocols.oip.inference import unknown
from tfaas_plugins.protocols.oip.metadata import model_metadata
from tfaas_plugins.protocols.oip.model_config import model_config
from tfaas_plugins.protocols.oip.statistics import Statistics
from tfaas_plugins.protocols.unloaded import UnloadedModels

_EXTENSIONS = (
    "binary_tensor_data",
    "classification",
    "model_configuration",
    "parameters",
    "statistics",
)
_CONTROL = ("model_repository",)


class Facts:
    """Documents about one Host. Guards are asked about each model before anybody looks for it.

    ``has_control``: whether models may be loaded and unloaded.
    """

    def __init__(
        self, host: Host, unloaded: UnloadedModels, statistics: Statistics, has_control: bool
    ) -> None:
        self._host = host
        self._unloaded = unloaded
        self._statistics = statistics
        self._has_control = has_control

    @property
    def why_not_ready(self) -> str:
        """Of the server; empty if it is."""
        return self._host.fitness().why_not_ready

    def server(self) -> dict[str, Any]:
        """The server, and what it speaks."""
        extensions = sorted((*_EXTENSIONS, *(_CONTROL if self._has_control else ())))
        return {"name": "tfaas", "version": __version__, "extensions": extensions}

    async def ready(self, request: Request, target: Target) -> ModelVersion:
        """What ``target`` names. Raises NotFound, and Unavailable if it is not ready."""
        version = await self._version(request, target)
        self._unloaded.check(target.model)
        return version

    async def is_ready(self, request: Request, target: Target) -> bool:
        """Whether ``target`` is there, and ready. Raises what guards raise."""
        await admit(request, target.model)
        try:
            await self.ready(request, target)
        except TfaasError:
            return False
        return True

    async def metadata(self, request: Request, target: Target) -> dict[str, Any]:
        """The inputs and outputs of a model."""
        version = await self._version(request, target)
        versions = self._host.catalog.model(target.model).versions
        return model_metadata(version.signed(None), versions)

    async def config(self, request: Request, target: Target) -> dict[str, Any]:
        """A model's configuration, as far as there is one."""
        version = await self._version(request, target)
        return model_config(version.signed(None), self._host.config.engine.max_batch_rows)

    async def statistics(self, request: Request, target: Target | None) -> dict[str, Any]:
        """Counts of a version, of all of a model's, or of all that may be seen."""
        if target is None:
            seen = await self.models(request)
            versions = [version for model in seen for version in model.versions]
        else:
            version = await self._version(request, target)
            of_model = self._host.catalog.model(target.model).versions
            versions = list(of_model) if target.version is None else [version]
        return {"model_stats": [self._statistics.document(version) for version in versions]}

    async def models(self, request: Request) -> list[Model]:
        """Those that the guards let ``request`` see."""
        models = self._host.catalog.list()
        visible = await visible_models(request, [model.name for model in models])
        return [model for model in models if model.name in visible]

    async def _version(self, request: Request, target: Target) -> ModelVersion:
        await admit(request, target.model)
        try:
            return self._host.catalog.get(target.model, target.version)
        except UnknownModel:
            raise unknown(target) from None
