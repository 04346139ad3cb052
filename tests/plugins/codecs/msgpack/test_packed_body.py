"""Packed arrays of a large body are read at once, and as they are otherwise."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from tfaas_plugins.codecs.msgpack.codec import MsgpackCodec
from tfaas_plugins.codecs.values.usual import MOST_ARRAY_BYTES

from tests.plugins.codecs.msgpack.requests import encode, packed
from tests.plugins.codecs.versions import TWO_INPUTS, VK
from tfaas_core.errors import TfaasError
from tfaas_core.models.model import ModelVersion
from tfaas_core.route import Head
from tfaas_core.settings.tables import Limits
from tfaas_core.testing.suites.codec.case import assert_same_bound
from tfaas_core.testing.tries import tries

CODEC, HEAD = MsgpackCodec(), Head()
ROWS = packed(np.arange(20_000).reshape(-1, 2))
TWO = {"x": packed(np.ones((3, 2))), "y": packed(np.ones((3, 1)))}


def told(body: bytes) -> Any:
    """What ``parse`` reads, its bytes whatever object they are; None: it refuses them."""
    try:
        return seen(CODEC.parse(body, HEAD))
    except TfaasError:
        return None


def seen(document: Any) -> Any:
    fields = {name: getattr(document, name) for name in document.__struct_fields__}
    return plain(fields)


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    return bytes(value) if isinstance(value, memoryview) else value


@pytest.mark.parametrize(
    ("sent", "version"),
    [
        ({"values": ROWS}, VK),
        ({"model": "vk", "values": ROWS}, VK),
        ({"values": dict(reversed(ROWS.items())), "model": ""}, VK),
        ({"inputs": TWO}, TWO_INPUTS),
    ],
)
def test_they_are_read_as_parse_reads_them_and_not_copied(
    sent: dict[str, Any], version: ModelVersion
) -> None:
    body = encode(sent)
    document = CODEC.parse_at_once(body, HEAD)
    assert document is not None
    assert seen(document) == told(body)
    bound = CODEC.bind(document, version)
    assert_same_bound(bound, CODEC.bind(CODEC.parse(body, HEAD), version))
    for array in bound.arrays.values():
        assert np.shares_memory(array, np.frombuffer(body, np.uint8))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        encode([ROWS]),
        encode({"model": "vk"}),
        encode({"values": ROWS, "version": 1}),
        encode({"values": ROWS, "inputs": TWO}),
        encode({"values": ROWS, "keys": ["a", "b"]}),
        encode({"values": ROWS, "model": 5}),
        encode({"values": ROWS | {"order": "C"}}),
        encode({"values": ROWS | {"shape": [True]}}),
        encode({"values": {"dtype": "<f4", "data": b""}}),
        encode({"values": np.ones((50, 90)).tolist()}),
        encode({"inputs": dict.fromkeys(map(str, range(65)), packed(1))}),
        encode({"values": ROWS}) + b"\0",
        encode({"values": ROWS})[:-1],
        encode({"values": packed(np.zeros(MOST_ARRAY_BYTES // 4))}),
    ],
)
def test_all_else_is_left_to_parse(body: bytes) -> None:
    assert CODEC.parse_at_once(body, HEAD) is None


@pytest.mark.parametrize("limit", ["max_values", "max_lists", "max_json_bytes"])
def test_what_may_hold_more_than_is_allowed_is_left_to_parse(limit: str) -> None:
    body = encode({"values": ROWS, "model": "m" * 100})
    for most, is_read in ((120, False), (1000, True)):
        codec = MsgpackCodec(Limits(**{limit: most}))
        assert (codec.parse_at_once(body, HEAD) is not None) is is_read


def test_of_bytes_that_were_changed_nothing_else_is_read() -> None:
    dice = random.Random(1)
    wholes = [
        bytearray(encode({"model": "vk", "values": packed([[1, 2], [3, 4]])})),
        bytearray(encode({"inputs": {"a": packed([1]), "b": packed([2.5], "<f8")}})),
    ]
    taken = 0
    for number in range(tries(2000)):
        body = wholes[number % 2].copy()
        for _ in range(dice.choice([1, 1, 2])):
            place = dice.randrange(len(body))
            body[place : place + dice.choice([0, 1, 1, 2])] = bytes([dice.randrange(256)])
        document = CODEC.parse_at_once(bytes(body), HEAD)
        if document is not None:
            taken += 1
            assert seen(document) == told(bytes(body))
    assert taken
