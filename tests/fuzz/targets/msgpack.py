"""Bodies of MessagePack: refused, or bound to the same as what msgspec writes of them anew."""

from __future__ import annotations

import msgspec
from tfaas_plugins.codecs.msgpack.codec import MsgpackCodec

from tests.fuzz.documents import msgpack_mutator
from tests.plugins.codecs.msgpack.test_codec import TestContract
from tests.plugins.codecs.outcomes import outcome_of
from tfaas_core.tensors import Bound
from tfaas_core.testing.fuzzing import CodecFuzz
from tfaas_core.testing.suites.codec.case import assert_same_bound

_FUZZ = CodecFuzz(MsgpackCodec, TestContract.samples)
_CODEC = MsgpackCodec()

mutate = msgpack_mutator(
    "values",
    "inputs",
    "keys",
    "x",
    "y",
    "b64",
    "model",
    "version",
    "label",
    "NaN",
    "dtype",
    "shape",
    "data",
)


def check(data: bytes) -> None:
    bound = _FUZZ.bound(data)
    if bound is None:
        return
    sample = _FUZZ.sample(data)
    body = msgspec.msgpack.encode(msgspec.msgpack.decode(data[1:]))
    again = outcome_of(_CODEC, body, sample.head, sample.version)
    assert isinstance(again, Bound), again
    assert_same_bound(bound, again)
