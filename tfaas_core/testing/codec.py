"""The contract of Codec as tests: each implementation subclasses ``CodecContract``."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar

import msgspec
import numpy as np
import pytest

from tfaas_core.codec import Codec, Document
from tfaas_core.errors import DoesNotFit, TfaasError
from tfaas_core.fields import Fields
from tfaas_core.models.model import ModelVersion
from tfaas_core.models.versions import check_number
from tfaas_core.route import Head
from tfaas_core.tensors import Arrays, BatchAxis, Bound, TensorSpec, conform

_MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+|\*/\*")
_CLIENT_ERRORS = {400, 413, 415, 422}
_DAMAGED_PER_SAMPLE = 200
_CONTENT_TYPES = (
    "",
    ";",
    "/",
    "text/plain; charset=\x00",
    "a/b; c",
    "a/b; boundary=\udcff",
    "*" * 999,
)


class Sample(msgspec.Struct, frozen=True):
    """A request that fits its model, and everything that becomes of it."""

    body: bytes
    version: ModelVersion
    bound: Bound
    """What ``bind`` gives: arrays of the signature's dtypes and shapes."""
    outputs: Arrays
    """What the model is said to answer."""
    answer: bytes
    """What ``encode`` makes of the outputs, to the byte."""
    content_type: str = ""
    query: Sequence[tuple[str, str]] = ()
    """The fields of the request's query, for a codec that reads it."""

    @property
    def head(self) -> Head:
        """That of the request."""
        head = Head.of_type(self.content_type)
        return msgspec.structs.replace(head, query=Fields(self.query))


class CodecContract:
    """What every Codec does. Subclass it as ``Test...``, and set both class variables."""

    make_codec: ClassVar[Callable[[], Codec[Any]]]

    samples: ClassVar[Sequence[Sample]]
    """Requests of the format, among them one that is a single row, one that is a batch, and where
    the format can spell it, one that is a batch without rows."""

    spells_no_rows: ClassVar[bool] = True
    """Whether the format can spell a batch without rows."""

    @pytest.fixture
    def codec(self) -> Codec[Any]:
        return type(self).make_codec()

    def test_the_name_can_be_the_last_part_of_a_path(self, codec: Codec[Any]) -> None:
        assert re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", codec.name)

    def test_media_types_are_lower_case_and_without_parameters(self, codec: Codec[Any]) -> None:
        assert isinstance(codec.media_types, tuple)
        assert codec.media_types
        assert [name for name in codec.media_types if not _MEDIA_TYPE.fullmatch(name)] == []

    def test_the_samples_are_rows_and_batches(self) -> None:
        assert {sample.bound.single for sample in self.samples} == {True, False}
        assert any(sample.bound.rows == 0 for sample in self.samples) == self.spells_no_rows

    def test_a_batch_without_rows_runs_alone(self) -> None:
        for sample in self.samples:
            if sample.bound.rows == 0:
                assert sample.bound.whole
                assert not sample.bound.single

    def test_a_request_is_bound_to_the_arrays_that_it_spells(self, codec: Codec[Any]) -> None:
        for sample in self.samples:
            _assert_same(_bound(codec, sample), sample.bound)

    def test_bound_arrays_conform_to_the_signature(self, codec: Codec[Any]) -> None:
        for sample in self.samples:
            bound = _bound(codec, sample)
            for array in conform(sample.version.signature, bound):
                assert array.flags.c_contiguous
                assert sample.version.signature.batch is BatchAxis.NONE or len(array) == bound.rows

    def test_outputs_are_encoded_as_the_sample_says(self, codec: Codec[Any]) -> None:
        for sample in self.samples:
            document = codec.parse(sample.body, sample.head)
            bound = codec.bind(document, sample.version)
            encoded = codec.encode(sample.outputs, bound, document, sample.version)
            assert encoded.body == sample.answer
            assert encoded.media_type.partition(";")[0] in _answer_types(codec)
            assert "".join([*encoded.headers, *encoded.headers.values()]).isascii()

    def test_the_types_of_answers_are_media_types(self, codec: Codec[Any]) -> None:
        """Set ``answer_types`` if the first of ``media_types`` is not the type of answers."""
        assert [name for name in _answer_types(codec) if not _MEDIA_TYPE.fullmatch(name)] == []
        assert "*/*" not in _answer_types(codec)

    def test_a_request_that_another_codec_read_is_answered_as_its_own_would_be(
        self, codec: Codec[Any]
    ) -> None:
        """If the codec implements ``encode_other``."""
        if type(codec).encode_other is Codec.encode_other:
            return
        for sample in self.samples:
            encoded = codec.encode_other(sample.outputs, sample.bound, sample.version)
            assert isinstance(encoded.body, bytes)
            assert encoded.media_type.partition(";")[0] in _answer_types(codec)

    def test_all_rows_are_answered_however_many_they_are(self, codec: Codec[Any]) -> None:
        """A request that ran alone may be answered with other rows than it has, or with none."""
        for sample in self.samples:
            if sample.version.signature.batch is not BatchAxis.NONE:
                answers = [
                    _encoded_or_refused(codec, sample, sample.version, _of_rows(sample, rows))
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
                version = _with_constant(sample.version)
                answers.append(_encoded_or_refused(codec, sample, version, outputs))
            assert None in answers or sample.version.labels or answers[0] != answers[1]

    def test_what_a_request_names_is_of_its_type(self, codec: Codec[Any]) -> None:
        for sample in self.samples:
            _assert_names(codec.parse(sample.body, sample.head))

    def test_nothing_is_kept_between_calls(self, codec: Codec[Any]) -> None:
        documents = [codec.parse(sample.body, sample.head) for sample in self.samples]
        pairs = list(zip(self.samples, documents, strict=True))
        for _ in range(2):
            bounds = [codec.bind(document, sample.version) for sample, document in pairs[::-1]]
            for (sample, document), bound in zip(pairs, bounds[::-1], strict=True):
                _assert_same(bound, sample.bound)
                encoded = codec.encode(sample.outputs, bound, document, sample.version)
                assert encoded.body == sample.answer

    def test_a_damaged_body_is_the_clients_error_or_fits(self, codec: Codec[Any]) -> None:
        for number, sample in enumerate(self.samples):
            for body in _damaged(sample.body, random.Random(number)):
                _assert_clients_error_or_fits(codec, body, sample.content_type, sample.version)

    def test_a_body_for_another_model_is_the_clients_error_or_fits(self, codec: Codec[Any]) -> None:
        for sample in self.samples:
            for other in self.samples:
                _assert_clients_error_or_fits(
                    codec, sample.body, sample.content_type, other.version
                )

    def test_an_odd_content_type_is_the_clients_error_or_ignored(self, codec: Codec[Any]) -> None:
        for sample in self.samples:
            for content_type in _CONTENT_TYPES:
                _assert_clients_error_or_fits(codec, sample.body, content_type, sample.version)


def _answer_types(codec: Codec[Any]) -> tuple[str, ...]:
    return codec.answer_types or codec.media_types[:1]


def _bound(codec: Codec[Any], sample: Sample) -> Bound:
    return codec.bind(codec.parse(sample.body, sample.head), sample.version)


def _encoded_or_refused(
    codec: Codec[Any], sample: Sample, version: ModelVersion, outputs: Arrays
) -> bytes | None:
    document = codec.parse(sample.body, sample.head)
    try:
        bound = codec.bind(document, version)
        return codec.encode(outputs, bound, document, version).body
    except DoesNotFit:
        return None


def _of_rows(sample: Sample, rows: int) -> Arrays:
    """The sample's outputs, but so many rows; each begins with the sample's, or with zeros."""
    outputs = {}
    for name, output in sample.outputs.items():
        outputs[name] = np.zeros((rows, *output.shape[1:]), output.dtype)
        if output.dtype == object:
            outputs[name][...] = b""
        kept = min(rows, len(output))
        outputs[name][:kept] = output[:kept]
    return outputs


def _with_constant(version: ModelVersion) -> ModelVersion:
    constant = TensorSpec("constant", "float32", (3,), constant=True)
    signature = version.signature
    replace = msgspec.structs.replace
    signature = replace(signature, outputs=(*signature.outputs, constant))
    return replace(version, signature=signature)


def _assert_names(document: Document) -> None:
    assert document.model is None or (type(document.model) is str and document.model)
    assert document.label is None or (type(document.label) is str and document.label)
    if document.version is not None:
        check_number(document.version)


def _assert_same(got: Bound, expected: Bound) -> None:
    assert (got.rows, got.single, got.whole) == (expected.rows, expected.single, expected.whole)
    assert got.arrays.keys() == expected.arrays.keys()
    for name, array in expected.arrays.items():
        assert got.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(got.arrays[name], array, strict=True)


def _damaged(body: bytes, chance: random.Random) -> Iterator[bytes]:
    yield from (b"", b"\x00", b"\xff" * 64, body * 2, body[::-1])
    for _ in range(_DAMAGED_PER_SAMPLE):
        at = chance.randrange(len(body) + 1)
        until = at + chance.randrange(4)
        yield body[:at]
        yield body[:at] + chance.randbytes(chance.randrange(4)) + body[until:]
        yield body[:at] + body[at:until] * 2 + body[until:]
        yield chance.randbytes(chance.randrange(64))


def _assert_clients_error_or_fits(
    codec: Codec[Any], body: bytes, content_type: str, version: ModelVersion
) -> None:
    error = _error_of(codec, body, content_type, version)
    if error is not None:
        assert error.status in _CLIENT_ERRORS, f"{error.status} for {body!r}: {error}"
        assert error.message.isprintable(), f"not one line: {error.message!r}"


def _error_of(
    codec: Codec[Any], body: bytes, content_type: str, version: ModelVersion
) -> TfaasError | None:
    try:
        document = codec.parse(body, Head.of_type(content_type))
        _assert_names(document)
        conform(version.signature, codec.bind(document, version))
    except TfaasError as error:
        return error
    return None
