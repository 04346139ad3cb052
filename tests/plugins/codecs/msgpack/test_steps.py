"""What is read in steps is what msgspec reads at once, wherever it is cut."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from tfaas_plugins.codecs.msgpack.steps import read_in_steps

from tfaas_core.testing.tries import tries

_SCALARS = (
    *(0, -1, 200, -200, 70_000, -70_000, 2**40, -(2**40), 2**63, 1.5, None, True),
    *("", "é" * 30, "a" * 300, b"", b"x" * 20, b"x" * 300, datetime(2020, 1, 1, tzinfo=UTC)),
    *(msgspec.msgpack.Ext(5, b"a" * size) for size in (0, 1, 2, 3, 16, 300)),
)
_REFUSED = "refused"


def value(dice: random.Random, depth: int) -> Any:
    kind = dice.random() if depth else 0.0
    if kind < 0.4:
        return dice.choice(_SCALARS)
    if kind < 0.6:
        return [dice.choice((1.5, 1, 300, "a")) for _ in range(dice.randrange(30))]
    if kind < 0.7:
        return [dice.random() for _ in range(dice.randrange(400))]
    if kind < 0.85:
        return [value(dice, depth - 1) for _ in range(dice.randrange(20))]
    names = ("a", "é", "x" * 50, "", 1, None)
    return {dice.choice(names): value(dice, depth - 1) for _ in range(dice.randrange(20))}


def broken(packed: bytes, dice: random.Random) -> bytes:
    body = bytearray(packed)
    for _ in range(dice.randrange(1, 3)):
        at = dice.randrange(len(body) + 1)
        if dice.random() < 0.5:
            del body[at : at + dice.choice((1, 4))]
        else:
            body[at:at] = bytes([dice.randrange(256)])
    return bytes(body)


def at_once(body: bytes) -> Any:
    try:
        return msgspec.msgpack.encode(msgspec.msgpack.decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _REFUSED


def in_steps(body: bytes, part_bytes: int) -> Any:
    try:
        return msgspec.msgpack.encode(without_views(read_in_steps(body, part_bytes)))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _REFUSED


def without_views(found: Any) -> Any:
    if isinstance(found, memoryview):
        return bytes(found)
    if isinstance(found, dict):
        return {key: without_views(each) for key, each in found.items()}
    return [without_views(each) for each in found] if isinstance(found, list) else found


@pytest.mark.parametrize("seed", range(8))
def test_it_is_the_same_as_at_once(seed: int) -> None:
    dice = random.Random(seed)
    for _ in range(tries(60)):
        packed = msgspec.msgpack.encode(value(dice, dice.randrange(6)))
        body = broken(packed, dice) if dice.random() < 0.5 else packed
        part_bytes = dice.choice((40, 100, 400))
        assert in_steps(body, part_bytes) == at_once(body), (body, part_bytes)


def test_long_bytes_are_a_view() -> None:
    body = msgspec.msgpack.encode({"a": [1, b"x" * 100]})
    found = read_in_steps(body, 40)
    assert isinstance(found["a"][1], memoryview)
    assert found["a"][1].obj is body


def test_what_is_wrong_is_told_with_its_place() -> None:
    body = msgspec.msgpack.encode([1] * 100) + b"\1"
    for wrong in (body, body[:50] + b"\xc1" + body[51:-1]):
        with pytest.raises(msgspec.DecodeError) as expected:
            msgspec.msgpack.decode(wrong)
        with pytest.raises(msgspec.DecodeError) as found:
            read_in_steps(wrong, 40)
        assert str(found.value) == str(expected.value)
