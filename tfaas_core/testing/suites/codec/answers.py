"""The part of Codec's contract about answers: what is written of a model's outputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import pairwise
from math import prod
from typing import Any

import msgspec
import numpy as np

from tfaas_core.codec import Codec
from tfaas_core.errors import NotAcceptable
from tfaas_core.models.model import ModelVersion
from tfaas_core.tensors import NUMPY_DTYPES, Array, Arrays, BatchAxis, TensorSpec
from tfaas_core.testing.suites.codec.case import (
    CodecCase,
    Sample,
    answer_or_refusal,
    assert_can_be_sent,
    varying_outputs,
    with_outputs,
)

_ODD_LABELS = (
    "caf\u00e9",
    'a "quoted", text',
    "back\\slash",
    "",
    "<b>&amp;",
    "\U0001f600",
    "a;b:c",
)


class AnswersContract(CodecCase):
    """What a codec makes of the outputs of models."""

    def test_outputs_are_encoded_as_the_sample_says(self, codec: Codec[Any]) -> None:
        for sample in self.samples:
            document = codec.parse(sample.body, sample.head)
            bound = codec.bind(document, sample.version)
            encoded = codec.encode(sample.outputs, bound, document, sample.version)
            assert encoded.whole() == sample.answer

    def test_answers_can_be_sent(self, codec: Codec[Any]) -> None:
        """Their bytes, media type and headers are such as HTTP can carry."""
        for sample in self.samples:
            document = codec.parse(sample.body, sample.head)
            encoded = codec.encode(sample.outputs, sample.bound, document, sample.version)
            assert_can_be_sent(codec, encoded)

    def test_a_request_that_another_codec_read_is_answered_as_its_own_would_be(
        self, codec: Codec[Any]
    ) -> None:
        """If the codec implements ``encode_other``."""
        if not codec.answers_others:
            return
        for sample in self.samples:
            outputs = [sample.outputs]
            if _are_numbers(sample) and sample.bound.rows:
                outputs = [_plus(sample, step) for step in range(3)]
            answers = set()
            for each in outputs:
                with suppress(NotAcceptable):
                    encoded = codec.encode_other(each, sample.bound, sample.version)
                    answers.add(assert_can_be_sent(codec, encoded))
            assert len(answers) in (0, len(outputs)), f"others have the same answer: {answers}"

    def test_all_rows_are_answered_however_many_they_are(self, codec: Codec[Any]) -> None:
        """A request that ran alone may be answered with other rows than it has, or with none."""
        for sample in self.samples:
            if sample.version.signature.batch is not BatchAxis.NONE:
                answers = [
                    answer_or_refusal(codec, sample, sample.version, _of_rows(sample, rows))
                    for rows in range(4)
                ]
                answers = [answer for answer in answers if answer is not None]
                assert len(set(answers)) == len(answers), f"rows are cut: {answers}"

    def test_constant_outputs_are_answered_whatever_the_rows(self, codec: Codec[Any]) -> None:
        """They have no batch axis. Where there are labels, a codec may answer these alone."""
        for sample in self.samples:
            answers = []
            for last in (8, 9):
                outputs = {**sample.outputs, "constant": np.array([6, 7, last], np.float32)}
                constant = TensorSpec("constant", "float32", (3,), constant=True)
                version = with_outputs(sample.version, *sample.version.signature.outputs, constant)
                answers.append(answer_or_refusal(codec, sample, version, outputs))
            assert None in answers or sample.version.labels or answers[0] != answers[1]

    def test_a_constant_output_is_not_taken_for_rows(self, codec: Codec[Any]) -> None:
        """Not even if it is as long as there are rows: it grows as evenly as beyond them."""
        for sample in self.samples:
            if sample.version.signature.batch is BatchAxis.NONE or not sample.bound.rows:
                continue
            answers = [_with_constants(codec, sample, shape) for shape in ((), (2,), (3,))]
            assert not all(map(_begins_unevenly, answers)), (
                f"a constant that is as long as there are rows is taken for them: {answers}"
            )

    def test_nan_and_infinity_are_answered_and_are_no_other_number(self, codec: Codec[Any]) -> None:
        for sample in self.samples:
            if all(output.dtype.kind == "f" for _, output in varying_outputs(sample)):
                numbers = {_filled_answer(codec, sample, number) for number in (0.0, 1.0)}
                for number in (np.nan, np.inf, -np.inf):
                    odd = _filled_answer(codec, sample, number)
                    assert odd is not None, f"outputs of {number} are refused"
                    assert sample.bound.rows == 0 or odd not in numbers

    def test_other_outputs_have_another_answer(self, codec: Codec[Any]) -> None:
        for sample in self.samples:
            if _are_numbers(sample) and sample.bound.rows:
                for version in (sample.version, _labelled(sample)):
                    answers = {
                        answer_or_refusal(codec, sample, version, _plus(sample, step))
                        for step in range(3)
                    }
                    assert len(answers - {None}) == 3 or answers == {None}

    def test_labels_are_any_text_and_any_number_of_them(self, codec: Codec[Any]) -> None:
        """Who uploads a model may give it fewer labels than outputs, or more."""
        for sample in self.samples:
            for count in (1, 2, 3, 7):
                version = msgspec.structs.replace(sample.version, labels=_ODD_LABELS[:count])
                answer_or_refusal(codec, sample, version, sample.outputs)

    def test_outputs_of_every_kind_are_answered_or_refused(self, codec: Codec[Any]) -> None:
        """Of every dtype and rank, several of them, with a batch axis and without one."""
        for sample in self.samples:
            for version, outputs in _outputs_of_every_kind(sample):
                answer_or_refusal(codec, sample, version, outputs)

    def test_outputs_without_a_batch_axis_are_answered_whole(self, codec: Codec[Any]) -> None:
        """Their first axis is not that of rows: nothing is left out, whatever its length."""
        for sample in self.samples:
            for shape in ((3,), (1, 2), (2, 3)):
                version = msgspec.structs.replace(_whole(sample, shape), labels=())
                one, other = np.ones(shape, np.float32), np.ones(shape, np.float32)
                other.flat[-1] = 7
                answers = [
                    answer_or_refusal(codec, sample, version, {"y": array})
                    for array in (one, other)
                ]
                assert answers[0] is None or answers[0] != answers[1], f"{other} is {answers[1]!r}"


def _of_rows(sample: Sample, rows: int) -> Arrays:
    """The sample's outputs, but so many rows; each begins with the sample's, or with zeros."""
    outputs = {}
    for name, output in sample.outputs.items():
        outputs[name] = _zeros((rows, *output.shape[1:]), output.dtype)
        kept = min(rows, len(output))
        outputs[name][:kept] = output[:kept]
    return outputs


def _with_constants(
    codec: Codec[Any], sample: Sample, shape: tuple[int, ...]
) -> list[bytes | None]:
    """Answers with constants that have as many parts as there are rows, and more and more.

    ``shape`` is that of each part. None: the codec refuses it.
    """
    constant = TensorSpec("constant", "float32", None, constant=True)
    version = with_outputs(sample.version, *sample.version.signature.outputs, constant)
    version = msgspec.structs.replace(version, labels=())
    parts = range(sample.bound.rows, sample.bound.rows + 5)
    constants = [np.ones((number, *shape), np.float32) for number in parts]
    return [
        answer_or_refusal(codec, sample, version, {**sample.outputs, "constant": constant})
        for constant in constants
    ]


def _begins_unevenly(answers: list[bytes | None]) -> bool:
    """Whether all steps from one to the next are alike but the first, in length or in bytes."""
    if None in answers:
        return answers[0] is not None or any(answers[1:])
    return any(
        steps[0] != steps[1] and steps[1:].count(steps[1]) == len(steps[1:])
        for steps in (_steps(len, answers), _steps(Counter, answers))
    )


def _steps(measure: Callable[[Any], Any], answers: list[bytes | None]) -> list[Any]:
    measured = [measure(answer) for answer in answers]
    return [other - one for one, other in pairwise(measured)]


def _zeros(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    array = np.zeros(shape, dtype)
    if dtype.kind == "O":
        array[...] = b""
    return array


def _filled_answer(codec: Codec[Any], sample: Sample, number: float) -> bytes | None:
    outputs = dict(sample.outputs)
    for name, output in varying_outputs(sample):
        outputs[name] = np.full_like(output, number)
    return answer_or_refusal(codec, sample, sample.version, outputs)


def _are_numbers(sample: Sample) -> bool:
    varying = [output for _, output in varying_outputs(sample)]
    return all(output.size and output.dtype.kind in "fiu" for output in varying)


def _plus(sample: Sample, step: int) -> Arrays:
    outputs = dict(sample.outputs)
    for name, output in varying_outputs(sample):
        outputs[name] = (np.arange(output.size).reshape(output.shape) + step).astype(output.dtype)
    return outputs


def _labelled(sample: Sample) -> ModelVersion:
    """The version with as many labels as its outputs have numbers."""
    (_, output), *_ = varying_outputs(sample)
    shape = output.shape if sample.version.signature.batch is BatchAxis.NONE else output.shape[1:]
    labels = tuple(f"label {number}" for number in range(prod(shape)))
    return msgspec.structs.replace(sample.version, labels=labels)


def _outputs_of_every_kind(sample: Sample) -> Iterator[tuple[ModelVersion, Arrays]]:
    rows = sample.bound.rows
    for dtype, numpy_dtype in NUMPY_DTYPES.items():
        version = with_outputs(sample.version, TensorSpec("y", dtype, None))
        yield version, {"y": _zeros((rows, 2), numpy_dtype)}
    for shape in ((rows,), (rows, 0), (rows, 2, 3), (rows, 1, 1, 1)):
        version = with_outputs(sample.version, TensorSpec("y", "float32", None))
        yield version, {"y": np.ones(shape, np.float32)}
    two = (TensorSpec("y", "float32", (None, 1)), TensorSpec("z", "string", (None, 2)))
    arrays = {"y": np.ones((rows, 1), np.float32), "z": _zeros((rows, 2), np.dtype(object))}
    yield with_outputs(sample.version, *two), arrays
    constant = TensorSpec("y", "float32", (), constant=True)
    yield with_outputs(sample.version, constant), {"y": np.ones((), np.float32)}
    for whole in ((), (0,), (3,), (2, 3)):
        yield _whole(sample, whole), {"y": np.ones(whole, np.float32)}


def _whole(sample: Sample, shape: tuple[int, ...]) -> ModelVersion:
    """The version, if it had no batch axis, and one output of this shape."""
    version = with_outputs(sample.version, TensorSpec("y", "float32", shape))
    signature = msgspec.structs.replace(version.signature, batch=BatchAxis.NONE)
    return msgspec.structs.replace(version, signature=signature)
