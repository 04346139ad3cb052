"""Inference by the Open Inference Protocol, however its messages come: over REST or over gRPC."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeAlias, TypeVar

from tfaas_core.errors import TfaasError
from tfaas_core.models.model import ModelVersion
from tfaas_core.predict.inference import InferenceRequest, InferenceResult
from tfaas_core.predict.predictor import LARGE_BODY_BYTES, Target
from tfaas_core.route import Request
from tfaas_core.tensors import Array, BatchAxis, Bound
from tfaas_core.visit import Visit
from tfaas_plugins.codecs.values.bounds import Allowance
from tfaas_plugins.protocols.oip.inputs import arrays_of
from tfaas_plugins.protocols.oip.models import OipModels
from tfaas_plugins.protocols.oip.requests import InferBody, WantedOutput
from tfaas_plugins.protocols.oip.statistics import Statistics

T = TypeVar("T")

Write: TypeAlias = Callable[[InferenceResult, Sequence[WantedOutput], str | None, Allowance], T]
"""Makes the answer of a result, the outputs that are wanted, and the request's own id."""

Read: TypeAlias = Callable[[ModelVersion, Allowance], tuple[InferBody, dict[str, Array]]]
"""Holds a request to a version: what it asks, and its inputs."""


class Inference:
    """Takes requests to ``models``, and counts them."""

    def __init__(self, models: OipModels, statistics: Statistics) -> None:
        self._models = models
        self._host = models.host
        self._statistics = statistics

    def begin(self, request: Request) -> Visit:
        """The visit of ``request``, which is told how long the run took, whoever asks for that."""
        visit = request.visit = request.visit or Visit(begin_s=time.monotonic())
        visit.codec = self._models.protocol
        return visit

    async def answer(
        self,
        request: Request,
        visit: Visit,
        target: Target,
        read: Read,
        write: Write[T],
        is_large: bool,
        left_s: float | None = None,
    ) -> T:
        """The answer of what ``target`` names. Raises TfaasError.

        ``is_large``: whether ``read`` is for a thread. ``left_s``: for how long the client waits,
        whatever the request says.
        """
        begin_s, models = visit.begin_s, self._models
        version = await models.resolved(request, target)
        try:
            version, (body, arrays) = await models.bound(
                request, target, version, self._allowed(read), is_large
            )
            asked = _asked(body, arrays, version, left_s, visit)
            run_s = time.monotonic()
            result = await self._host.infer(asked)
            work = result, body.wanted(version), body.id, Allowance(self._host.config.limits)
            size = sum(array.nbytes for array in result.outputs.values())
            is_large = size > LARGE_BODY_BYTES
            answer = await models.in_thread(write, *work) if is_large else write(*work)
        except TfaasError:
            self._statistics.failed(version, begin_s)
            raise
        self._statistics.succeeded(version, visit, asked.bound.rows, begin_s, run_s)
        return answer

    def _allowed(self, read: Read) -> Callable[[ModelVersion], tuple[InferBody, dict[str, Array]]]:
        return lambda version: read(version, Allowance(self._host.config.limits))


def held(body: InferBody) -> Read:
    """Holds ``body`` to a version."""
    return lambda version, allowance: (body, arrays_of(body, version, allowance))


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
