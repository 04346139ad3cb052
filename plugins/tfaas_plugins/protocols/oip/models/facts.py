"""Facts: what the Open Inference Protocol tells of a server and its models, over REST and gRPC."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tfaas_core import __version__
from tfaas_core.errors import TfaasError
from tfaas_core.models.model import ModelVersion
from tfaas_core.predict.target import Target
from tfaas_core.route import Request, admit
from tfaas_plugins.protocols.oip.models.metadata import model_metadata
from tfaas_plugins.protocols.oip.models.model_config import model_config
from tfaas_plugins.protocols.oip.models.models import OipModels
from tfaas_plugins.protocols.oip.models.statistics import Statistics

_EXTENSIONS = (
    "binary_tensor_data",
    "classification",
    "model_configuration",
    "parameters",
    "statistics",
)
_CONTROL = ("model_repository",)


class Facts:
    """Documents about ``models``. Guards are asked about each before anybody looks for it.

    ``has_control``: whether models may be loaded and unloaded.
    """

    def __init__(self, models: OipModels, statistics: Statistics, has_control: bool) -> None:
        self._models = models
        self._host = models.host
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

    async def names(self, request: Request) -> list[str]:
        """Of the models that the guards let ``request`` see."""
        return [model.name for model in await self._models.seen(request)]

    async def ready(self, request: Request, target: Target) -> ModelVersion:
        """What ``target`` names. Raises NotFound, and Unavailable if it is not ready."""
        version = await self._version(request, target)
        self._models.check_is_loaded(target.model)
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

    async def statistics(self, request: Request, target: Target) -> dict[str, Any]:
        """Counts of a version, or of all of a model's."""
        version = await self._version(request, target)
        versions = self._host.catalog.model(target.model).versions
        return self._counted(versions if target.version is None else [version])

    async def all_statistics(self, request: Request) -> dict[str, Any]:
        """Counts of all versions of the models that the guards let ``request`` see."""
        seen = await self._models.seen(request)
        return self._counted([version for model in seen for version in model.versions])

    def _counted(self, versions: Iterable[ModelVersion]) -> dict[str, Any]:
        return {"model_stats": [self._statistics.document(version) for version in versions]}

    async def _version(self, request: Request, target: Target) -> ModelVersion:
        await admit(request, target.model)
        return self._models.version(target)
