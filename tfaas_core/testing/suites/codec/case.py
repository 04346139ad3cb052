"""What the parts of Codec's contract have in common: samples, and questions to a codec."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, NoReturn

import msgspec
import numpy as np
import pytest

from tfaas_core.codec import MODEL_HEADER, Codec, Document, Encoded
from tfaas_core.errors import TfaasError
from tfaas_core.fields import Fields
from tfaas_core.models.model import ModelVersion
from tfaas_core.models.versions import check_number
from tfaas_core.route import Head, Response
from tfaas_core.routing.sendable import sendable
from tfaas_core.tensors import Array, Arrays, Bound, TensorSpec, conform
from tfaas_core.testing.suites.time_limited import TimeLimited

PLAIN_MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+|\*/\*")
_CLIENT_ERRORS = {400, 413, 415, 422}


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


class CodecCase(TimeLimited):
    """A codec to test, with samples of what it reads and answers."""

    make_codec: ClassVar[Callable[[], Codec[Any]]]

    samples: ClassVar[Sequence[Sample]]
    """Requests of the format, among them one that is a single row, one that is a batch, and where
    the format can spell them, one that is a batch without rows, and one with a NaN for a model
    whose params say ``"nan": "accept"``."""

    spells_no_rows: ClassVar[bool] = True
    """Whether the format can spell a batch without rows."""

    spells_nan: ClassVar[bool] = True
    """Whether the format can spell NaN."""

    @pytest.fixture
    def codec(self) -> Codec[Any]:
        return type(self).make_codec()


def types_of_answers(codec: Codec[Any]) -> tuple[str, ...]:
    """The media types that the codec answers in, as ``Codec.answer_types`` has it."""
    return codec.answer_types or codec.media_types[:1]


def bound_by(codec: Codec[Any], sample: Sample) -> Bound:
    """What the codec binds the sample's request to."""
    return codec.bind(codec.parse(sample.body, sample.head), sample.version)


def answered_by(codec: Codec[Any], sample: Sample) -> bytes:
    """The codec's answer to the sample, from its bytes on."""
    document = codec.parse(sample.body, sample.head)
    bound = codec.bind(document, sample.version)
    return codec.encode(sample.outputs, bound, document, sample.version).whole()


def answer_or_refusal(
    codec: Codec[Any], sample: Sample, version: ModelVersion, outputs: Arrays
) -> bytes | None:
    """The answer if another version gives other outputs; None if the codec refuses them."""
    document = codec.parse(sample.body, sample.head)
    try:
        encoded = codec.encode(outputs, codec.bind(document, version), document, version)
    except TfaasError as error:
        assert_clients_error(error, f"outputs {outputs}")
        return None
    return assert_can_be_sent(codec, encoded)


def assert_can_be_sent(codec: Codec[Any], encoded: Encoded) -> bytes:
    """The answer is of the codec's types, and the server takes it as it is; gives its bytes."""
    assert isinstance(encoded, Encoded)
    body = encoded.whole()
    sendable(Response(body, media_type=encoded.media_type, headers=encoded.headers))
    assert encoded.media_type.partition(";")[0].strip() in types_of_answers(codec)
    assert MODEL_HEADER.lower() not in {name.lower() for name in encoded.headers}
    if encoded.media_type.partition(";")[0] == "application/json":
        json.loads(body, parse_constant=_refuse_constant)
    return body


def _refuse_constant(name: str) -> NoReturn:
    raise AssertionError(f"{name} is no JSON")


def assert_names_a_model(document: Document) -> None:
    """What the document names is of the types that it has to be of."""
    assert isinstance(document, Document)
    assert document.model is None or (type(document.model) is str and document.model)
    assert document.label is None or (type(document.label) is str and document.label)
    if document.version is not None:
        check_number(document.version)


def assert_same_bound(got: Bound, expected: Bound) -> None:
    """Both are the same arrays, and the same rows."""
    assert isinstance(got, Bound)
    assert (got.rows, got.single, got.whole) == (expected.rows, expected.single, expected.whole)
    assert got.arrays.keys() == expected.arrays.keys()
    for name, array in expected.arrays.items():
        assert got.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(got.arrays[name], array, strict=True)


def assert_clients_error(error: TfaasError, what: str) -> None:
    """The error is the client's, and its message one line."""
    assert error.status in _CLIENT_ERRORS, f"{error.status} for {what}: {error}"
    assert error.message.isprintable(), f"not one line: {error.message!r}"


def assert_clients_error_or_fits(
    codec: Codec[Any], body: bytes, content_type: str, version: ModelVersion
) -> None:
    """The codec binds the body to what the version takes, or says what is wrong with it."""
    try:
        document = codec.parse(body, Head.of_type(content_type))
        assert_names_a_model(document)
        assert type(codec.is_heavy(document, version)) is bool
        conform(version.signature, codec.bind(document, version))
    except TfaasError as error:
        assert_clients_error(error, repr(body[:200]))


def with_outputs(version: ModelVersion, *outputs: TensorSpec) -> ModelVersion:
    """The version, if it gave these outputs."""
    signature = msgspec.structs.replace(version.signature, outputs=outputs)
    return msgspec.structs.replace(version, signature=signature)


def with_input(version: ModelVersion, *inputs: TensorSpec) -> ModelVersion:
    """The version, if it took these inputs, and its params said nothing."""
    signature = msgspec.structs.replace(version.signature, inputs=inputs)
    return msgspec.structs.replace(version, signature=signature, params={})


def varying_outputs(sample: Sample) -> Iterator[tuple[str, Array]]:
    """The outputs of the sample that are not constant."""
    for spec in sample.version.signature.outputs:
        if not spec.constant:
            yield spec.name, sample.outputs[spec.name]
