"""Inference by the Open Inference Protocol, however its messages come: over REST or over gRPC."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeAlias, TypeVar

from tfaas_core.errors import NotFound, TfaasError, UnknownModel
from tfaas_core.host import Host
from tfaas_core.models.model import ModelVersion
from tfaas_core.predict.inference import InferenceRequest, InferenceResult
from tfaas_core.predict.predictor import LARGE_BODY_BYTES, Target
from tfaas_core.route import Request
from tfaas_core.tensors import Array, BatchAxis, Bound
from tfaas_core.visit import Visit
from tfaas_plugins.protocols.oip.requests import InferBody, WantedOutput, arrays_of
from tfaas_plugins.protocols.oip.statistics import Statistics
from tfaas_plugins.protocols.unloaded import UnloadedModels

T = TypeVar("T")

Write: TypeAlias = Callable[[InferenceResult, Sequence[WantedOutput], str | None], T]
"""Makes the answer of a result, the outputs that are wanted, and the request's own id."""

Read: TypeAlias = Callable[[ModelVersion], tuple[InferBody, dict[str, Array]]]
"""Holds a request to a version: what it asks, and its inputs."""


class Inference:
    """Takes requests of one Host to models, and counts them."""

    def __init__(self, host: Host, unloaded: UnloadedModels, statistics: Statistics) -> None:
        self._host = host
        self._unloaded = unloaded
        self._statistics = statistics

    def begin(self, request: Request) -> Visit:
        """The visit of ``request``, which is told how long the run took, whoever asks for that."""
        visit = request.visit = request.visit or Visit(begin_s=time.monotonic())
        visit.codec = "oip"
        return visit

    async def resolved(self, request: Request, target: Target) -> ModelVersion:
        """What ``target`` names. Raises as ``Host.resolve``, and Unavailable if it is unloaded."""
        try:
            version = await self._host.resolve(request, target)
        except UnknownModel:
            raise unknown(target) from None
        self._unloaded.check(version.name)
        return version

    async def answer(
        self,
        visit: Visit,
        version: ModelVersion,
        read: Read,
        write: Write[T],
        is_large: bool,
        left_s: float | None = None,
    ) -> T:
        """The answer of ``version``. Raises TfaasError.

        ``is_large``: whether ``read`` is for a thread. ``left_s``: for how long the client waits,
        whatever the request says.
        """
        begin_s, threads = visit.begin_s, self._host.predictor
        try:
            body, arrays = await threads.in_thread(read, version) if is_large else read(version)
            asked = _asked(body, arrays, version, left_s, visit)
            run_s = time.monotonic()
            result = await self._host.infer(asked)
            work = result, body.wanted(version), body.id
            size = sum(array.nbytes for array in result.outputs.values())
            is_large = size > LARGE_BODY_BYTES
            answer = await threads.in_thread(write, *work) if is_large else write(*work)
        except TfaasError:
            self._statistics.failed(version, begin_s)
            raise
        self._statistics.succeeded(version, visit, asked.bound.rows, begin_s, run_s)
        return answer


def held(body: InferBody) -> Read:
    """Holds ``body`` to a version."""
    return lambda version: (body, arrays_of(body, version))


def unknown(target: Target) -> NotFound:
    """That there is no such model, in Triton's words."""
    version = "" if target.version is None else f" version {target.version}"
    return NotFound(f"Request for unknown model: {target.model[:140]!r}{version} is not found")


def _asked(
    body: InferBody,
    arrays: dict[str, Array],
    version: ModelVersion,
    left_s: float | None,
    visit: Visit,
) -> InferenceRequest:
    outputs = None if body.outputs is None else [each.name for each in body.outputs]
    timeout_s = min((s for s in (body.timeout_s, left_s) if s is not None), default=None)
    return InferenceRequest(
        version, _bound(version, arrays), outputs, timeout_s, body.id or "", visit
    )


def _bound(version: ModelVersion, arrays: dict[str, Array]) -> Bound:
    rows = 1
    if version.signature.batch is not BatchAxis.NONE:
        rows = max((len(array) for array in arrays.values() if array.ndim), default=1)
    native = {name: _native(array) for name, array in arrays.items()}
    return Bound(native, rows, single=False)


def _native(array: Array) -> Array:
    """In the machine's byte order: the same array, unless that is not little-endian."""
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))
