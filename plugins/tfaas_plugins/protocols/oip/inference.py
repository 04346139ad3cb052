"""Inference by the Open Inference Protocol, however its messages come: over REST or over gRPC."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import TypeAlias, TypeVar

from tfaas_core.errors import TfaasError
from tfaas_core.models.model import ModelVersion
from tfaas_core.predict.inference import InferenceRequest, InferenceResult
from tfaas_core.predict.target import Target
from tfaas_core.route import Request
from tfaas_core.settings.tables import Limits
from tfaas_core.tensors import Array, BatchAxis, Bound
from tfaas_core.visit import Visit
from tfaas_plugins.codecs.values.bounds import Allowance
from tfaas_plugins.protocols.handlers import are_large
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
        begin_s, models, limits = visit.begin_s, self._models, self._host.config.limits
        version = models.ungated(request, target) or await models.resolved(request, target)
        try:
            if is_large:
                version, (body, arrays) = await models.bound(
                    request, target, version, _allowed(read, limits)
                )
            else:
                body, arrays = read(version, Allowance(limits))
            del read  # so that what it holds is gone while the model runs
            asked = _asked(body, arrays, version, left_s, visit)
            run_s = time.monotonic()
            result = await models.run(asked, target)
            work = result, body.wanted(result.version), body.id, Allowance(limits)
            if are_large(result.outputs):
                answer = await models.in_thread(write, *work)
            else:
                answer = write(*work)
        except TfaasError:
            self._statistics.failed(version, begin_s)
            raise
        self._statistics.succeeded(version, visit, asked.bound.rows, begin_s, run_s)
        return answer


def _allowed(
    read: Read, limits: Limits
) -> Callable[[ModelVersion], tuple[InferBody, dict[str, Array]]]:
    return lambda version: read(version, Allowance(limits))


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
    timeout_s = body.timeout_s
    if left_s is not None and (timeout_s is None or left_s < timeout_s):
        timeout_s = left_s
    return InferenceRequest(
        version, _bound(version, arrays), outputs, timeout_s, body.id or "", visit
    )


def _bound(version: ModelVersion, arrays: dict[str, Array]) -> Bound:
    rows = 1
    if version.signature.batch is not BatchAxis.NONE:
        sizes = [len(array) for array in arrays.values() if array.ndim]
        rows = max(sizes) if sizes else 1
    if sys.byteorder != "little":
        arrays = {name: _native(array) for name, array in arrays.items()}
    return Bound(arrays, rows, single=False)


def _native(array: Array) -> Array:
    """In the machine's byte order, where that is not little-endian."""
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))
