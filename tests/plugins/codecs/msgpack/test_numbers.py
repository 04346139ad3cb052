"""Many floats in lists are read without an object for each, and as they are otherwise."""

from __future__ import annotations

import random
import struct
from typing import Any

import numpy as np
import pytest
from tfaas_plugins.codecs.msgpack.codec import MsgpackCodec
from tfaas_plugins.codecs.msgpack.numbers import read_with_numbers
from tfaas_plugins.codecs.msgpack.steps import LONG_BYTES, read_in_steps
from tfaas_plugins.codecs.values.number_lists import NumberLists

from tests.plugins.codecs.msgpack.requests import array, bind, decode, encode, refusal
from tests.plugins.codecs.versions import f32, taking
from tfaas_core.errors import TooLarge
from tfaas_core.route import Head
from tfaas_core.settings.tables import Limits
from tfaas_core.testing.tries import tries

LIMITS = Limits()
MANY = np.random.default_rng(1).normal(size=1200)


def as_float32(rows: Any) -> bytes:
    """Lists of floats of four bytes, which msgspec does not write."""
    if isinstance(rows, float):
        return b"\xca" + struct.pack(">f", rows)
    return encode([None] * len(rows))[: -len(rows)] + b"".join(map(as_float32, rows))


@pytest.mark.parametrize("shape", [(1200,), (400, 3), (30, 40), (3, 20, 20), (1, 1, 1200)])
@pytest.mark.parametrize("write", [encode, as_float32])
def test_lists_of_floats_become_an_array(shape: tuple[int, ...], write: Any) -> None:
    values = write(MANY.reshape(shape).tolist())
    for before, behind in ((b"", b"\xa5model\xa2vk"), (b"\xa5model\xa2vk", b"")):
        body = b"\x82" + before + b"\xa6values" + values + behind
        fields = read_with_numbers(body, LIMITS)
        assert fields is not None
        assert fields["model"] == "vk"
        numbers = fields["values"]
        assert isinstance(numbers, NumberLists)
        assert numbers.lists() == decode(values)
        expected = np.array(decode(values))
        assert (numbers.array.shape, numbers.array.dtype) == (shape, np.dtype(float))
        assert numbers.array.tobytes() == expected.tobytes()


def test_long_lists_that_do_not_fit_are_read_in_steps() -> None:
    """As other long bodies: in one, they would hold up all other requests."""
    rows = MANY.reshape(-1, 12).tolist() * (LONG_BYTES // len(encode(MANY.tolist())) + 1)
    fields = read_with_numbers(encode({"values": rows}), LIMITS)
    assert fields is not None
    numbers = fields["values"]
    assert numbers.read is read_in_steps
    assert numbers.lists() == rows


ROWS = MANY.reshape(400, 3).tolist()
VALUES = encode({"values": ROWS})
OTHERS = {
    "another kind of number": encode({"values": [*ROWS[:-1], [1.5, 2.5, 3]]}),
    "a longer row": encode({"values": [*ROWS[:-1], [1.5] * 4]}),
    "a row that is as long, and no list": encode({"values": [*ROWS[:-1], "x" * 26]}),
    "a float of another size": VALUES[:-9] + b"\xca" + bytes(4),
    "a text that is as long as a float": VALUES[:-9] + b"\xa8" + b"x" * 8,
    "less than was announced": VALUES[:-1],
    "more than was announced": VALUES + b"\xc0",
    "the key within a text": encode({"model": "values", "keys": [], "values": ROWS}),
    "the key within another map": encode({"x": {"values": ROWS}}),
    "no key": encode({"inputs": {"values": ROWS}}),
    "the key twice": b"\x82" + VALUES[1:] + b"\xa6values\xc0",
    "no map": VALUES[1:],
    "another map head": b"\xde\x00\x01" + VALUES[1:],
    "empty rows": encode({"values": [[]] * 3000}),
    "no rows": encode({"values": [], "keys": ["x"] * 2000}),
    "few": encode({"values": ROWS[:10]}),
}


@pytest.mark.parametrize("body", OTHERS.values(), ids=OTHERS)
def test_anything_else_is_left_to_msgspec(body: bytes) -> None:
    assert read_with_numbers(body, LIMITS) is None


def test_of_bytes_that_were_changed_the_same_is_read_as_by_msgspec() -> None:
    dice = random.Random(1)
    taken = 0
    for _ in range(tries(300)):
        body = bytearray(VALUES)
        place = dice.choice([dice.randrange(16), dice.randrange(len(body))])
        body[place : place + dice.choice([0, 1, 1, 9])] = dice.choice([b"\xca", b"\x93", b"\x00"])
        fields = read_with_numbers(bytes(body), LIMITS)
        if fields is not None:
            taken += 1
            assert np.array_equal(fields["values"].array, decode(body)["values"], equal_nan=True)
    assert taken


def test_limits_hold() -> None:
    for limits in (Limits(max_values=1199), Limits(max_lists=400)):
        assert read_with_numbers(VALUES, limits) is None
        with pytest.raises(TooLarge):
            MsgpackCodec(limits).parse(VALUES, Head())


def test_a_row_and_a_batch_are_told_by_their_nesting() -> None:
    wide = taking(shape=(None, 1200))
    assert bind({"values": MANY.tolist()}, wide).single
    assert array({"values": MANY.tolist()}, wide).tobytes() == f32([MANY]).tobytes()
    batch = bind({"values": ROWS}, taking(shape=(None, 3)))
    assert (batch.rows, batch.single) == (400, False)


def test_what_does_not_fit_is_told_with_its_place() -> None:
    version = taking(shape=(None, 3))
    for odd, got in ((np.nan, "NaN"), (np.inf, "infinite"), (1e39, "1e+39")):
        error = refusal({"values": [*ROWS[:-1], [1.5, odd, 2.5]]}, version)
        assert error.message.startswith(f"values[399][1] is {got}, ")
    assert refusal({"values": ROWS}, taking(shape=(None, 4))).message.startswith("values[0] has 3 ")
    assert refusal({"values": ROWS}, taking("int32", (None, 3))).details["field"] == "values[0][0]"
