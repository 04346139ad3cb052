"""Served models: those of one Host, as the clients of a protocol find them, however they ask."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar, TypeVar

from tfaas_core.errors import DoesNotFit, TfaasError, UnknownModel, UnknownVersion
from tfaas_core.host import Host
from tfaas_core.models.model import ModelVersion
from tfaas_core.models.versions import Model
from tfaas_core.predict.early_binding import LARGE_BODY_BYTES
from tfaas_core.predict.inference import InferenceRequest, InferenceResult
from tfaas_core.predict.target import Target
from tfaas_core.route import Request, visible_models
from tfaas_core.routing.in_flight import LONG_BYTES, uncounted_bytes
from tfaas_core.tensors import Arrays
from tfaas_core.visit import Visit
from tfaas_plugins.protocols.unloaded import UnloadedModels

_MOST_BINDS = 5

_MOST_GROWTH = 3
"""How many bytes there may be of an answer, while it is written, for each of its outputs: a float32
has up to 13 as text."""

T = TypeVar("T")


def size_of(outputs: Arrays) -> int:
    """Of all of them together, in bytes."""
    size = 0
    for array in outputs.values():
        size += array.nbytes
    return size


class ServedModels(ABC):
    """What is not there is told in the words of the protocol."""

    protocol: ClassVar[str]
    """What logs and observers call it. Its large bodies have threads of their own."""

    def __init__(self, host: Host) -> None:
        self.host = host

    @abstractmethod
    def unknown(self, target: Target) -> TfaasError:
        """What a client is told that asks for a model, a version or a label which is not there."""

    def unsigned(self, error: DoesNotFit) -> TfaasError:
        """What a client is told that asks for a signature which is not there."""
        return error

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

        Raises ``unknown``, ``unsigned``, what guards raise, and Unavailable if the model was
        unloaded.
        """
        visit = request.visit
        if visit is not None and visit.gate is not None and target.model:
            # Who may not go there does not learn whether there is such a model.
            await visit.to_model(target.model)
        return self._found(visit, target)

    def ungated(self, request: Request, target: Target) -> ModelVersion | None:
        """As ``resolved``, without waiting, if no guard has to be asked; None: one has to be."""
        visit = request.visit
        return self._found(visit, target) if visit is None or visit.gate is None else None

    def _found(self, visit: Visit | None, target: Target) -> ModelVersion:
        try:
            version = self.host.predictor.found(target, visit)
        except UnknownModel:
            raise self.unknown(target) from None
        except DoesNotFit as error:
            raise self.unsigned(error) from None
        if (unloaded := self._unloaded) is not None:
            unloaded.check(version.name)
        return version

    async def bound(
        self,
        request: Request,
        target: Target,
        version: ModelVersion,
        bind: Callable[[ModelVersion], T],
    ) -> tuple[ModelVersion, T]:
        """``bind(version)``, in a thread.

        It is bound again if ``target`` names another version meanwhile, so that what takes long to
        bind is not run by one that is no longer there. Raises as ``bind`` and ``resolved``.
        """
        for binds_left in reversed(range(_MOST_BINDS)):
            found = await self.in_thread(bind, version)
            if not binds_left:
                break
            current = await self.resolved(request, target)
            if current.key == version.key:
                break
            version = current
        return version, found

    async def run(self, asked: InferenceRequest, target: Target) -> InferenceResult:
        """Runs what was made of a request for ``target``, which was ``resolved``.

        If the version was removed before it was loaded, the one that answers now does.
        """
        try:
            return asked.result(await self.host.predictor.begin(asked))
        except UnknownVersion:
            pass
        try:
            return await self.host.predictor.infer_anew(asked, target)
        except UnknownModel:
            raise self.unknown(target) from None

    async def written(
        self,
        all_outputs: Sequence[Arrays],
        write: Callable[..., T],
        *arguments: Any,
        most: int = LARGE_BODY_BYTES,
    ) -> T:
        """``write(*arguments)``, an answer of the outputs of some runs.

        If they have more than ``most`` bytes, it is written in a thread, once there is room for
        both.
        """
        size = sum([size_of(outputs) for outputs in all_outputs])
        if size <= most:
            return write(*arguments)
        uncounted, in_flight = 0, self.host.in_flight
        if size > LONG_BYTES:
            uncounted = sum([uncounted_bytes(outputs.values()) for outputs in all_outputs])
        in_flight.check_fits(uncounted)
        async with in_flight.holding(uncounted), in_flight.writing(size * _MOST_GROWTH):
            return await self.in_thread(write, *arguments)

    def in_thread(self, work: Callable[..., T], *arguments: Any) -> Awaitable[T]:
        """``work(*arguments)``, in a thread of this protocol's."""
        return self.host.predictor.in_thread(work, *arguments, kind=self.protocol)

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
