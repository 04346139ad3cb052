"""Rows and DataFrames: refused if Google's parser refuses them, and else bound to what it reads."""

from __future__ import annotations

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from google.protobuf.unknown_fields import UnknownFieldSet  # type: ignore[import-untyped]
from tfaas_plugins.codecs.protobuf.codec import ProtobufCodec
from tfaas_plugins.codecs.protobuf.tfaas_pb2 import DataFrame, Row
from tfaas_plugins.codecs.protobuf.wire import rows_in

from tests.fuzz.mutations import mutator
from tests.plugins.codecs.outcomes import outcome_of
from tests.plugins.codecs.protobuf.test_codec import TestContract
from tfaas_core.errors import BadBody
from tfaas_core.tensors import Bound
from tfaas_core.testing.fuzzing import CodecFuzz
from tfaas_core.testing.suites.codec.case import assert_same_bound

_FUZZ = CodecFuzz(ProtobufCodec, TestContract.samples)
_CODEC = ProtobufCodec()

mutate = mutator(DataFrame, head_bytes=1)


def check(data: bytes) -> None:
    bound = _FUZZ.bound(data)
    body, sample = data[1:], _FUZZ.sample(data)
    message: DataFrame | Row
    try:
        if "DataFrame" in sample.content_type:
            message = DataFrame.FromString(body)
            _check_rows(message, body)
        else:
            message = Row.FromString(body)
    except DecodeError:
        assert bound is None
        return
    if bound is not None:
        written = message.SerializeToString()
        again = outcome_of(_CODEC, written, sample.head, sample.version)
        assert isinstance(again, Bound), again
        assert_same_bound(bound, again)


def _check_rows(frame: DataFrame, body: bytes) -> None:
    """The way of large bodies finds the rows that Google's parser finds."""
    try:
        found = [Row.FromString(row) for row in rows_in(body)]
    except (DecodeError, BadBody):
        return
    if not len(UnknownFieldSet(frame)):
        assert found == list(frame.row)
