"""The messages of Classify, Regress and MultiInference: examples read, and results written."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import msgspec
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from tfaas_core.errors import BadBody, TfaasError, TooLarge
from tfaas_core.predict.target import Target
from tfaas_core.tensors import Arrays
from tfaas_plugins.codecs.values.bounds import Allowance
from tfaas_plugins.protocols.private_pool import message_class
from tfaas_plugins.protocols.tfserving.examples import (
    ExampleList,
    Examples,
    classes_and_scores,
    regressions,
)
from tfaas_plugins.protocols.tfserving.sent import MOST_HEAD_BYTES
from tfaas_plugins.protocols.tfserving.specs import read_spec, target_of
from tfaas_plugins.wire import LENGTH, Piece, field, fields, message_of, tag_of

METHODS = {"tensorflow/serving/classify": "classify", "tensorflow/serving/regress": "regress"}
"""What a task may ask for."""

_MOST_PIECES = 1000
_FIRST, _SECOND = tag_of(1, LENGTH), tag_of(2, LENGTH)
_FLOAT = struct.Struct("<f").pack
_SCORE_TAG, _VALUE_TAG = b"\x15", b"\x0d"


class Unimplemented(TfaasError):
    """TensorFlow Serving has that, or might have it, and this server has not."""

    status = 501
    code = "unimplemented"


class ExamplesMessage(msgspec.Struct, frozen=True):
    """A request for examples: where each goes, and how it is asked there; and the examples."""

    tasks: Sequence[Task]
    examples: Examples


class Task(msgspec.Struct, frozen=True):
    """``verb``: classify or regress."""

    target: Target
    verb: str


def read_one_task(body: bytes, verb: str, allowance: Allowance) -> ExamplesMessage:
    """A ClassificationRequest or RegressionRequest. Raises BadBody, TooLarge."""
    specs, examples = _read(body, allowance)
    return ExamplesMessage([Task(read_spec(specs), verb)], examples)


def read_tasks(body: bytes, allowance: Allowance) -> ExamplesMessage:
    """A MultiInferenceRequest. Raises BadBody, Unimplemented, and TooLarge beyond the allowance."""
    written, examples = _read(body, allowance)
    tasks: list[Task] = []
    signatures: set[str | None] = set()
    for piece in written:
        task = _task(piece)
        if tasks and task.target.model != tasks[0].target.model:
            raise BadBody(
                "All ModelSpecs in a MultiInferenceRequest must access the same model name."
            )
        if task.target.signature in signatures:
            raise BadBody(f"Duplicate evaluation of signature: {task.target.signature}")
        signatures.add(task.target.signature)
        tasks.append(task)
    if not tasks:
        raise BadBody("the MultiInferenceRequest has no tasks")
    return ExamplesMessage(tasks, examples)


def _task(piece: bytes) -> Task:
    try:
        task = message_class("tensorflow.serving.InferenceTask").FromString(piece)
    except DecodeError:
        raise BadBody("a task of the MultiInferenceRequest is broken") from None
    if not task.HasField("model_spec"):
        raise BadBody("Missing ModelSpec")
    target = target_of(task.model_spec)
    verb = METHODS.get(task.method_name)
    if verb is None:
        raise Unimplemented(f"Unsupported signature method_name: {task.method_name[:140]}")
    return Task(target, verb)


def _read(body: bytes, allowance: Allowance) -> tuple[list[bytes], Examples]:
    """What fields 1 hold, and the examples of field 2."""
    first, inputs = [], []
    for tag, start, stop in fields(body):
        allowance.take(1, "its fields")
        if tag == _FIRST:
            first.append(_head(body, start, stop))
        elif tag == _SECOND:
            inputs.append((start, stop))
            _check_pieces(inputs)
    return first, Examples(_input(body, inputs, allowance))


def _head(body: bytes, start: int, stop: int) -> bytes:
    if stop - start > MOST_HEAD_BYTES:
        raise BadBody(f"model_spec has more than {MOST_HEAD_BYTES} bytes")
    return body[start:stop]


def _check_pieces(pieces: Sequence[object]) -> None:
    if len(pieces) > _MOST_PIECES:
        raise TooLarge(f"the input is in more than {_MOST_PIECES} pieces; send it whole")


def _parts(
    body: bytes, places: Sequence[tuple[int, int]], allowance: Allowance
) -> Iterator[tuple[int, int, int]]:
    """The fields of a message that may be there in several pieces."""
    for at, end in places:
        for found in fields(body, at, end):
            allowance.take(1, "its fields")
            yield found


def _input(body: bytes, inputs: Sequence[tuple[int, int]], allowance: Allowance) -> ExampleList:
    """The Input that is there: of its two kinds, the one that comes last counts."""
    kind = 0
    parts: list[tuple[int, int]] = []
    for tag, start, stop in _parts(body, inputs, allowance):
        if tag in (_FIRST, _SECOND):
            if tag != kind:
                kind, parts = tag, []
            parts.append((start, stop))
            _check_pieces(parts)
    examples, context = [], bytearray()
    for tag, start, stop in _parts(body, parts, allowance):
        if tag == _FIRST:
            examples.append(body[start:stop])
        elif tag == _SECOND and kind == _SECOND:
            context += body[start:stop]
    if not examples:
        raise BadBody("Input is empty.")
    return ExampleList(bytes(context), examples)


# Answers.


def answer_of(verb: str, outputs: Arrays, rows: int, spec: Any) -> bytes:
    """A ClassificationResponse or RegressionResponse. Raises BadBody if the outputs are none."""
    result = field(1, _RESULTS[verb](outputs, rows))
    return message_of([*result, *field(2, [spec.SerializeToString()])])


def task_answer(verb: str, outputs: Arrays, rows: int, spec: Any) -> list[Piece]:
    """An InferenceResult, as an entry of a MultiInferenceResponse. Raises BadBody."""
    number = 2 if verb == "classify" else 3
    result = field(number, _RESULTS[verb](outputs, rows))
    return field(1, [*field(1, [spec.SerializeToString()]), *result])


def _regressions(outputs: Arrays, rows: int) -> list[Piece]:
    values = regressions(outputs, rows).tolist()
    return [piece for value in values for piece in field(1, [_VALUE_TAG + _FLOAT(value)])]


def _classifications(outputs: Arrays, rows: int) -> list[Piece]:
    classes, scores = classes_and_scores(outputs, rows)
    heads: dict[bytes, bytes] = {}
    written: list[Piece] = []
    for labels, row in zip(classes, scores, strict=True):
        found = [heads.get(label) or heads.setdefault(label, _head_of(label)) for label in labels]
        floats = row.astype("<f4").tobytes()
        values = [floats[at : at + 4] for at in range(0, len(floats), 4)]
        # A row at once, so that no step is long.
        classified = b"".join(chain.from_iterable(zip(found, values, strict=True)))
        written += field(1, [classified])
    return written


def _head_of(label: bytes) -> bytes:
    """What a Class of the label is before its score; other bytes than text would break it."""
    text = field(1, [label.decode(errors="replace").encode()])
    return b"".join(field(1, [*text, _SCORE_TAG, bytes(4)]))[:-4]


_RESULTS = {"classify": _classifications, "regress": _regressions}
