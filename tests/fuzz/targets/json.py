"""Bodies of JSON: refused, or bound to the same as what Python's own parser reads in them."""

from __future__ import annotations

import json
from typing import NoReturn

from tfaas_plugins.codecs.json.codec import JsonCodec

from tests.fuzz.documents import json_mutator
from tests.fuzz.usual import check_usual
from tests.plugins.codecs.json.test_codec import TestContract
from tests.plugins.codecs.outcomes import outcome_of
from tfaas_core.tensors import Bound
from tfaas_core.testing.fuzzing import CodecFuzz
from tfaas_core.testing.suites.codec.case import assert_same_bound

_FUZZ = CodecFuzz(JsonCodec, TestContract.samples)
_CODEC = JsonCodec()

mutate = json_mutator(
    "values", "inputs", "keys", "x", "y", "b64", "model", "version", "label", "NaN"
)


def check(data: bytes) -> None:
    bound, sample = _FUZZ.bound(data), _FUZZ.sample(data)
    check_usual(_CODEC, data[1:], sample.head, sample.version, bound)
    if bound is None:
        return
    accepts_nan = bool(sample.version.params.get("nan"))
    document = json.loads(data[1:], parse_constant=None if accepts_nan else _refuse)
    again = outcome_of(_CODEC, json.dumps(document).encode(), sample.head, sample.version)
    assert isinstance(again, Bound), again
    assert_same_bound(bound, again)


def _refuse(constant: str) -> NoReturn:
    raise AssertionError(f"{constant} is no JSON")
