"""Bodies of JSON: refused, or bound to the same as what Python's own parser reads in them."""

from __future__ import annotations

import json
from typing import NoReturn

from tfaas_plugins.codecs.json.codec import JsonCodec

from tests.fuzz.documents import json_mutator
from tests.plugins.codecs.json.test_codec import TestContract
from tests.plugins.codecs.outcomes import outcome_of
from tfaas_core.tensors import Bound
from tfaas_core.testing.codec_case import assert_same_bound
from tfaas_core.testing.fuzzing import CodecFuzz

_FUZZ = CodecFuzz(JsonCodec, TestContract.samples)
_CODEC = JsonCodec()

mutate = json_mutator(
    "values", "inputs", "keys", "x", "y", "b64", "model", "version", "label", "NaN"
)


def check(data: bytes) -> None:
    bound = _FUZZ.bound(data)
    if bound is None:
        return
    sample = _FUZZ.sample(data)
    accepts_nan = bool(sample.version.params.get("nan"))
    document = json.loads(data[1:], parse_constant=None if accepts_nan else _refuse)
    again = outcome_of(_CODEC, json.dumps(document).encode(), sample.head, sample.version)
    assert isinstance(again, Bound), again
    assert_same_bound(bound, again)


def _refuse(constant: str) -> NoReturn:
    raise AssertionError(f"{constant} is no JSON")
