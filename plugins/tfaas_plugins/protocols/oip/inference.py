"""Inference by the Open Inference Protocol, however its messages come: over REST or over gRPC."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Generic, TypeAlias, TypeVar

import msgspec

from tfaas_core.errors import TfaasError, UnknownVersion
from tfaas_core.models.model import ModelVersion
from tfaas_core.predict.early_binding import LARGE_BODY_BYTES
from tfaas_core.predict.inference import InferenceRequest, InferenceResult
from tfaas_core.predict.prediction import LARGE_ANSWER_BYTES
from tfaas_core.predict.target import Target
from tfaas_core.route import Request
from tfaas_core.settings.tables import Limits
from tfaas_core.tensors import Array, BatchAxis, Bound
from tfaas_core.visit import Visit
from tfaas_plugins.codecs.values.bounds import Allowance
from tfaas_plugins.protocols.oip.infer.inputs import arrays_of
from tfaas_plugins.protocols.oip.infer.requests import InferBody, WantedOutput
from tfaas_plugins.protocols.oip.models.models import OipModels
from tfaas_plugins.protocols.oip.models.statistics import Statistics
from tfaas_plugins.protocols.prepared import Prepared
from tfaas_plugins.protocols.template import Template

T = TypeVar("T")


class Writer(msgspec.Struct, Generic[T], frozen=True):
    """Makes answers of a result, the outputs that are wanted, and the request's own id.

    ``template``: of what such an answer has in common with others; None: of nothing.
    """

    write: Callable[[InferenceResult, Sequence[WantedOutput], str | None, Allowance], T]
    template: Callable[[InferenceResult, Sequence[WantedOutput], T], Template[T] | None]


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
        writer: Writer[T],
        is_large: bool,
        left_s: float | None = None,
        prepared: Prepared[T] | None = None,
    ) -> T:
        """The answer of what ``target`` names. Raises TfaasError.

        ``is_large``: whether ``read`` is for a thread. ``left_s``: for how long the client waits,
        whatever the request says. ``prepared``: what is known of such requests.
        """
        models = self._models
        version = models.ungated(request, target) or await models.resolved(request, target)
        if prepared is not None:
            answer = await self._again(prepared, version, request.body, visit, writer, left_s)
            if answer is not None:
                return answer
        begin_s, bind = visit.begin_s, _allowed(read, self._host.config.limits)
        try:
            if is_large:
                version, (body, arrays) = await models.bound(request, target, version, bind)
            else:
                body, arrays = bind(version)
            del read, bind  # so that what they hold is gone while the model runs
            asked = _asked(body, arrays, version, _least(body.timeout_s, left_s), visit)
            run_s = time.monotonic()
            result = await models.run(asked, target)
            answer = await self._written(writer, result, body.wanted(result.version), body.id)
        except TfaasError:
            self._statistics.failed(version, begin_s)
            raise
        self._statistics.succeeded(version, visit, asked.bound.rows, begin_s, run_s)
        if prepared is not None:
            _learn(prepared, asked, body, result, answer, writer)
        return answer

    async def _again(
        self,
        prepared: Prepared[T],
        version: ModelVersion,
        body: bytes,
        visit: Visit,
        writer: Writer[T],
        left_s: float | None,
    ) -> T | None:
        """The answer, if nothing but numbers is new in what was asked; None: that is not sure."""
        plan = prepared.plan(version)
        inputs = None if plan is None else plan.inputs(body)
        if plan is None or inputs is None:
            return None
        rows, begin_s, run_s = plan.settled.rows, visit.begin_s, time.monotonic()
        try:
            timeout_s = _least(plan.asked.timeout_s, left_s)
            outputs = await self._host.predictor.again(plan.settled, inputs, visit, timeout_s)
            answer = plan.filled(outputs)
            if answer is None:
                result = plan.asked.result(outputs)
                answer = await self._written(writer, result, plan.wanted, None)
        except UnknownVersion:  # it was removed before it was loaded
            return None
        except TfaasError:
            self._statistics.failed(version, begin_s)
            raise
        self._statistics.succeeded(version, visit, rows, begin_s, run_s)
        return answer

    async def _written(
        self,
        writer: Writer[T],
        result: InferenceResult,
        wanted: Sequence[WantedOutput],
        request_id: str | None,
    ) -> T:
        work = result, wanted, request_id, Allowance(self._host.config.limits)
        most_bytes = _most_bytes(result, wanted)
        return await self._models.written([result.outputs], writer.write, *work, most=most_bytes)


def _most_bytes(result: InferenceResult, wanted: Sequence[WantedOutput]) -> int:
    """Of outputs: with more of them, the answer is written in a thread."""
    for each in wanted:
        # It takes a look at each number, or at each string.
        if not each.binary or each.classes or result.outputs[each.name].dtype == object:
            return LARGE_BODY_BYTES
    return LARGE_ANSWER_BYTES


def _learn(
    prepared: Prepared[T],
    asked: InferenceRequest,
    body: InferBody,
    result: InferenceResult,
    answer: T,
    writer: Writer[T],
) -> None:
    wanted = body.wanted(result.version)
    # For how long this client waits is not what the request says.
    asked = msgspec.structs.replace(asked, timeout_s=body.timeout_s)
    template = partial(writer.template, result, wanted, answer)
    prepared.learn(asked, wanted, result, answer, template, _most_bytes(result, wanted))


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
    timeout_s: float | None,
    visit: Visit,
) -> InferenceRequest:
    outputs = None if body.outputs is None else [each.name for each in body.outputs]
    return InferenceRequest(
        version, _bound(version, arrays), outputs, timeout_s, body.id or "", visit
    )


def _least(timeout_s: float | None, left_s: float | None) -> float | None:
    if left_s is None or (timeout_s is not None and timeout_s <= left_s):
        return timeout_s
    return left_s


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
