"""Handlers: what those of all protocols do alike, over one Host."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import ClassVar, TypeVar

from tfaas_core.errors import TfaasError, UnknownModel
from tfaas_core.host import Host
from tfaas_core.models.model import ModelVersion
from tfaas_core.models.versions import Model
from tfaas_core.predict.predictor import LARGE_BODY_BYTES, Target
from tfaas_core.route import Request, Response, visible_models
from tfaas_core.tensors import Arrays
from tfaas_plugins.protocols.answers import answered
from tfaas_plugins.protocols.unloaded import UnloadedModels

_MOST_BINDS = 5

T = TypeVar("T")


class Handlers(ABC):
    """``get`` and ``post`` are the handlers; their errors are answered in a protocol's shape."""

    codec: ClassVar[str]
    """What observers are told that a prediction was read by."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self._base_characters = len(host.config.server.base)

    async def get(self, request: Request) -> Response:
        """``GET``: what there is."""
        return await answered(self._get(request))

    async def post(self, request: Request) -> Response:
        """``POST``: a prediction."""
        return await answered(self._post(request))

    @abstractmethod
    async def _get(self, request: Request) -> Response: ...

    @abstractmethod
    async def _post(self, request: Request) -> Response: ...

    @abstractmethod
    def unknown(self, target: Target) -> TfaasError:
        """What a client is told that asks for a model, a version or a label which is not there."""

    def path(self, request: Request) -> str:
        """The path as sent, without ``server.base``."""
        return request.head.raw_path[self._base_characters :]

    # Which model.

    async def seen(self, request: Request) -> list[Model]:
        """The models that guards let the request see."""
        models = self.host.catalog.list()
        names = await visible_models(request, [model.name for model in models])
        return [model for model in models if model.name in names]

    def version(self, target: Target) -> ModelVersion:
        """The version that ``target`` names, to be told of. Raises ``unknown``."""
        try:
            return self.host.catalog.get(target.model, target.version, target.label)
        except UnknownModel:
            raise self.unknown(target) from None

    async def resolved(self, request: Request, target: Target) -> ModelVersion:
        """The version and signature that ``target`` names, to be run.

        Raises ``unknown``, DoesNotFit for a signature, what guards raise, and Unavailable if the
        model was unloaded.
        """
        try:
            version = await self.host.resolve(request, target)
        except UnknownModel:
            raise self.unknown(target) from None
        self.check_is_loaded(version.name)
        return version

    def check_is_loaded(self, model: str) -> None:
        """Raises Unavailable if somebody unloaded the model."""
        if (unloaded := self._unloaded) is not None:
            unloaded.check(model)

    def is_unloaded(self, model: str) -> bool:
        """Whether somebody unloaded the model."""
        return (unloaded := self._unloaded) is not None and unloaded.holds(model)

    @property
    def _unloaded(self) -> UnloadedModels | None:
        """None: no model can be unloaded."""
        found: UnloadedModels | None = self.host.shared.get(UnloadedModels.KEY)
        return found

    # What takes long.

    async def read(self, request: Request, work: Callable[..., T], *arguments: object) -> T:
        """``work(*arguments)``, in a thread if the body is large."""
        if _is_large(request):
            return await self.host.predictor.in_thread(work, *arguments)
        return work(*arguments)

    async def bound(
        self,
        request: Request,
        version: ModelVersion,
        resolve: Callable[[], Awaitable[ModelVersion]],
        bind: Callable[[ModelVersion], T],
    ) -> tuple[ModelVersion, T]:
        """``bind(version)``, as ``read`` does; again if ``resolve`` gives another one meanwhile.

        So what takes long to bind is not run by a version that is no longer there. Raises what
        these raise.
        """
        for binds_left in reversed(range(_MOST_BINDS)):
            found = await self.read(request, bind, version)
            if not binds_left or not _is_large(request):
                break
            current = await resolve()
            if current.key == version.key:
                break
            version = current
        return version, found

    async def written(self, outputs: Arrays, write: Callable[..., T], *arguments: object) -> T:
        """``write(*arguments)``, in a thread if ``outputs`` are large."""
        if sum(array.nbytes for array in outputs.values()) > LARGE_BODY_BYTES:
            return await self.host.predictor.in_thread(write, *arguments)
        return write(*arguments)


def _is_large(request: Request) -> bool:
    return len(request.body) > LARGE_BODY_BYTES or request.head.content_encoding != ""
