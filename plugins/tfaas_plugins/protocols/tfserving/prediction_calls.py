"""The calls of PredictionService that run a model: they adapt messages to the internal request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TypeVar

from tfaas_core.errors import BadBody, DoesNotFit, TfaasError, TooLarge, UnknownVersion
from tfaas_core.host import Host
from tfaas_core.models.model import ModelVersion
from tfaas_core.predict.early_binding import LARGE_BODY_BYTES
from tfaas_core.predict.inference import InferenceRequest, InferenceResult
from tfaas_core.predict.target import Target
from tfaas_core.service import Call
from tfaas_core.tensors import Arrays, Signature
from tfaas_plugins.codecs.values.bounds import Allowance
from tfaas_plugins.protocols.prepared import Prepared, PreparedMessages
from tfaas_plugins.protocols.tfserving.dtypes import dtype_of
from tfaas_plugins.protocols.tfserving.example_messages import (
    ExamplesMessage,
    answer_of,
    read_one_task,
    read_tasks,
    task_answer,
)
from tfaas_plugins.protocols.tfserving.models import (
    ServingModels,
    UnknownSignature,
    bound_as_it_is,
)
from tfaas_plugins.protocols.tfserving.predict_messages import (
    PredictMessage,
    predict_answer,
    predict_template,
    read_predict,
    tensor_at_end,
)
from tfaas_plugins.protocols.tfserving.specs import spec_of
from tfaas_plugins.wire import Piece, message_of

T = TypeVar("T")


class SignatureNotFound(TfaasError):
    """Predict names a signature that the model has not."""

    status = 412
    code = "signature_not_found"


class PredictionCalls:
    """Those of one Host."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._models = ServingModels(host)
        self._prepared = PreparedMessages()

    async def predict(self, call: Call) -> bytes:
        """``Predict``: named tensors, and all outputs of a signature, or some."""
        allowance = self._begin(call)
        prepared = self._prepared.of(call.body)
        version = None
        if prepared is not None:
            version = await self._resolved(call, prepared.target)
            answer = await self._again(call, prepared, version)
            if answer is not None:
                return answer
        size = len(call.body)
        message = await self._in_thread(size, lambda: read_predict(call.body, allowance))
        if version is None:
            version = await self._resolved(call, message.target)
        check_inputs(message, version.signature)
        array_bytes = self._checked_size(message)
        # Few values may stand for many; what is a view of the body is counted with that.
        with self._host.in_flight.held(max(0, array_bytes - size)):
            arrays = await self._in_thread(
                max(size, array_bytes), lambda: arrays_of(message, version.signature, allowance)
            )
            result = await self._models.infer(
                call, message.target, version, arrays, message.outputs, call.left_s
            )
        answer = await self._written(result, message.target)
        if prepared is not None:
            asked = InferenceRequest(version, bound_as_it_is(version, arrays), message.outputs)
            template = partial(predict_template, result, message.target.signature or "")
            prepared.learn(asked, (), result, answer, template)
        elif (found := tensor_at_end(call.body, message)) is not None:
            name, tensor_bytes = found
            self._prepared.keep(call.body, tensor_bytes, message.target, name)
        return answer

    async def _again(
        self, call: Call, prepared: Prepared[bytes], version: ModelVersion
    ) -> bytes | None:
        """The answer, if nothing but numbers is new in what was asked; None: that is not sure."""
        plan = prepared.plan(version)
        inputs = None if plan is None else plan.inputs(call.body)
        if plan is None or inputs is None:
            return None
        predictor = self._host.predictor
        try:
            outputs = await predictor.again(plan.settled, inputs, call.visit, call.left_s)
        except UnknownVersion:  # it was removed before it was loaded
            return None
        answer = plan.filled(outputs)
        if answer is not None:
            return answer
        return await self._written(plan.asked.result(outputs), prepared.target)

    async def _written(self, result: InferenceResult, target: Target) -> bytes:
        name = target.signature or ""
        return await self._models.written([result.outputs], predict_answer, result, name)

    async def classify(self, call: Call) -> bytes:
        """``Classify``: examples, and the classes of each, with their scores."""
        return await self._one_task(call, "classify")

    async def regress(self, call: Call) -> bytes:
        """``Regress``: examples, and the value of each."""
        return await self._one_task(call, "regress")

    async def _one_task(self, call: Call, verb: str) -> bytes:
        allowance = self._begin(call)
        message = await self._in_thread(
            len(call.body), lambda: read_one_task(call.body, verb, allowance)
        )
        (task,) = message.tasks
        version = await self._resolved_for_examples(call, task.target)
        outputs = await self._models.of_examples(
            call, task.target, version, message.examples, call.left_s
        )
        spec = spec_of(version, task.target.signature or "")
        rows = len(message.examples)
        return await self._models.written([outputs], answer_of, verb, outputs, rows, spec)

    async def multi_inference(self, call: Call) -> bytes:
        """``MultiInference``: the same examples, for several signatures of a model."""
        allowance = self._begin(call)
        message = await self._in_thread(len(call.body), lambda: read_tasks(call.body, allowance))
        first, *others = message.tasks
        versions = [await self._resolved_for_examples(call, first.target)]
        # The guards have let it go to the model; which signature is none of their business.
        versions += [self._signed(task.target) for task in others]
        runs = (
            self._models.of_examples(call, task.target, version, message.examples, call.left_s)
            for task, version in zip(message.tasks, versions, strict=True)
        )
        answered = await asyncio.gather(*runs)
        return await self._models.written(answered, _results, message, versions, answered)

    def _begin(self, call: Call) -> Allowance:
        if call.visit is not None:
            call.visit.codec = self._models.protocol
        return Allowance(self._host.config.limits)

    async def _in_thread(self, size: int, work: Callable[[], T]) -> T:
        """What ``work`` gives, done in a thread if it takes or gives many bytes."""
        if size > LARGE_BODY_BYTES:
            return await self._models.in_thread(work)
        return work()

    async def _resolved(self, call: Call, target: Target) -> ModelVersion:
        try:
            return await self._models.resolved(call, target)
        except UnknownSignature:
            name = target.signature
            raise SignatureNotFound(f'Serving signature key "{name}" not found.') from None

    async def _resolved_for_examples(self, call: Call, target: Target) -> ModelVersion:
        try:
            return await self._models.resolved(call, target)
        except UnknownSignature:
            raise _no_signature(target) from None

    def _signed(self, target: Target) -> ModelVersion:
        version = self._models.version(target)
        try:
            return version.signed(target.signature)
        except DoesNotFit:
            raise _no_signature(target) from None

    def _checked_size(self, message: PredictMessage) -> int:
        size, most_bytes = message.array_bytes, self._host.config.server.max_body_bytes
        if size > most_bytes:
            raise TooLarge(
                f"the inputs have {size} bytes by their shapes, at most {most_bytes} are taken "
                "(server.max_body_bytes)",
                expected=most_bytes,
                got=size,
            )
        return size


def check_inputs(message: PredictMessage, signature: Signature) -> None:
    """Raises BadBody for an input that is missing, unknown, or of another dtype.

    And for an output that is not there, or wanted twice.
    """
    specs = {spec.name: spec for spec in signature.inputs}
    if message.inputs.keys() != specs.keys():
        _check_names(message, signature)
    for name, tensor in message.inputs.items():
        spec = specs.get(name)
        if spec is not None and tensor.claim.dtype is not dtype_of(spec):
            raise BadBody(
                f"input {name!r} is {tensor.claim.dtype.name}, the signature takes "
                f"{dtype_of(spec).name}"
            )
    _check_outputs(message, signature)


def _check_names(message: PredictMessage, signature: Signature) -> None:
    known = {spec.name for spec in signature.inputs}
    needed = {spec.name for spec in signature.inputs if spec.default is None}
    sent = message.inputs.keys()
    missing, extra = needed - sent, sent - known - set(signature.unused)
    if missing or extra:
        raise BadBody(
            f"input size does not match signature: {len(sent)}!={len(needed)} "
            f"len({_names(sent)}) != len({_names(needed)}). Sent extra: {_names(extra)}. "
            f"Missing but required: {_names(missing)}."
        )


def _check_outputs(message: PredictMessage, signature: Signature) -> None:
    there = [spec.name for spec in signature.outputs]
    seen: set[str] = set()
    for name in message.outputs or ():
        if name not in there:
            raise BadBody(
                f"output tensor alias not found in signature: {name[:140]} Outputs expected to be "
                f"in the set {_names(there)}."
            )
        if name in seen:
            raise BadBody(f"duplicate output tensor alias: {name}")
        seen.add(name)


def _names(names: Iterable[str]) -> str:
    return "{" + ",".join(name[:140] for name in sorted(names)[:32]) + "}"


def arrays_of(message: PredictMessage, signature: Signature, allowance: Allowance) -> Arrays:
    """The inputs that the signature needs. Raises BadBody, and TooLarge beyond the allowance."""
    return {
        spec.name: message.inputs[spec.name].array(allowance)
        for spec in signature.inputs
        if spec.name in message.inputs
    }


def _results(
    message: ExamplesMessage, versions: Sequence[ModelVersion], answered: Sequence[Arrays]
) -> bytes:
    rows = len(message.examples)
    pieces: list[Piece] = []
    for task, version, outputs in zip(message.tasks, versions, answered, strict=True):
        spec = spec_of(version, task.target.signature or "")
        pieces += task_answer(task.verb, outputs, rows, spec)
    return message_of(pieces)


def _no_signature(target: Target) -> BadBody:
    return BadBody(f"No signature was found with the name: {target.signature}")
