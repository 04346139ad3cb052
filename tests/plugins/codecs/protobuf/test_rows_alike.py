"""Rows that are alike but for their numbers are read at once, and as they are otherwise."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from tfaas_plugins.codecs.protobuf.codec import ProtobufCodec
from tfaas_plugins.codecs.protobuf.rows_alike import rows_alike
from tfaas_plugins.codecs.protobuf.tfaas_pb2 import DataFrame, Row
from tfaas_plugins.codecs.values.usual import MOST_ARRAY_BYTES

from tests.plugins.codecs.protobuf.requests import FRAME, ROW, array, frame, refusal, row
from tests.plugins.codecs.versions import VK_3, f32, taking
from tfaas_core.errors import BadBody, TooLarge
from tfaas_core.route import Head
from tfaas_core.testing.tries import tries

MANY = np.random.default_rng(1).normal(size=(500, 3)).astype(np.float32)


def sent(**more: Any) -> list[Row]:
    return [Row(value=values, **more) for values in MANY.tolist()]


@pytest.mark.parametrize("more", [{}, {"model": "vk"}, {"key": ["a", "b", "c"], "model": "x" * 99}])
def test_they_become_an_array(more: dict[str, Any]) -> None:
    body = frame(*sent(**more)).SerializeToString()
    found = rows_alike(body, 500)
    assert found is not None
    first, numbers = found
    assert first == sent(**more)[0]
    assert numbers.tobytes() == MANY.tobytes()
    assert numbers.shape == MANY.shape
    assert rows_alike(body, 499) is None
    document = ProtobufCodec().parse(body, Head.of_type(FRAME))
    assert (document.model, document.count) == (more.get("model"), 500)
    with pytest.raises(TooLarge, match="more than the 499 rows"):
        ProtobufCodec(499).parse(body, Head.of_type(FRAME))


def test_keys_put_all_rows_into_the_order_of_the_features() -> None:
    document = ProtobufCodec().parse(
        frame(*sent(key=["c", "a", "b"])).SerializeToString(), Head.of_type(FRAME)
    )
    codec = ProtobufCodec()
    for _ in range(2):  # the version may change meanwhile
        (bound,) = codec.bind(document, VK_3).arrays.values()
        assert bound.tobytes() == MANY[:, [1, 2, 0]].tobytes()


def test_of_bytes_that_were_changed_the_same_is_read_as_by_protobuf() -> None:
    dice = random.Random(1)
    whole = frame(*sent(key=["a"], model="vk")[:40]).SerializeToString()
    taken = 0
    for _ in range(tries(1000)):
        body = bytearray(whole)
        place = dice.choice([dice.randrange(24), dice.randrange(len(body))])
        body[place : place + dice.choice([0, 1, 1, 2])] = bytes([dice.randrange(256)])
        try:
            found = rows_alike(bytes(body), 100)
        except DecodeError:
            found = None
        if found is not None:
            taken += 1
            rows = DataFrame.FromString(bytes(body)).row
            assert str(found[0]) == str(rows[0])
            numbers = np.array([each.value for each in rows], np.float32)
            assert np.array_equal(found[1], numbers, equal_nan=True)
    assert taken


LAST = row(1, 2, 3)
OTHERS: dict[str, DataFrame | bytes] = {
    "a longer row": frame(*sent(), row(1, 2, 3, 4)),
    "another model of the same length": frame(*sent(model="a"), row(1, 2, 3, model="b")),
    "a key": frame(*sent(), row(1, 2, 3, keys="a")),
    "few": frame(LAST, LAST),
    "numbers that are not packed": b"\x0a\x05\x15\x00\x00\x80?" * 500,
    "no numbers": frame(*[Row(model="a")] * 500),
    "two fields of numbers": b"\x0a\x0c\x12\x04\x00\x00\x80?\x12\x04\x00\x00\x00@" * 500,
    "a part of a number": b"\x0a\x05\x12\x03\x00\x00\x80" * 500,
    "less than was announced": frame(*sent()).SerializeToString()[:-1],
    "nothing": b"",
}


@pytest.mark.parametrize("body", OTHERS.values(), ids=OTHERS)
def test_anything_else_is_read_row_by_row(body: DataFrame | bytes) -> None:
    assert rows_alike(body if isinstance(body, bytes) else body.SerializeToString(), 1000) is None


def test_what_does_not_fit_is_told_with_its_place() -> None:
    rows = sent()
    rows[321] = row(1, np.inf, 2)
    assert refusal(frame(*rows), VK_3).message.startswith("row[321].value[1] is infinite, ")
    error = refusal(frame(*sent()), taking(shape=(None, 4)))
    assert error.message == "row[0].value has 3 numbers, model 'vk' takes 4"
    assert array(frame(*sent()), taking("float64", (None, 3))).tolist() == MANY.tolist()
    whole = frame(*[row(1, 2, 3)] * 5)
    assert array(whole, taking("int8", (None, 3))).tolist() == f32([[1, 2, 3]] * 5).tolist()


def test_a_name_that_is_no_text_is_no_message() -> None:
    body = b"\x0a\x09\x12\x04\x00\x00\x80?\x1a\x01\xff" * 5
    with pytest.raises(BadBody, match="not a tfaaspb"):
        ProtobufCodec().parse(body, Head.of_type(FRAME))


@pytest.mark.parametrize(
    ("sent", "is_read"),
    [
        (frame(*sent(key=["a", "b", "c"], model="x")), True),
        (frame(*sent(), row(1, 2, 3, 4)), False),
        (row(*MANY.ravel(), keys=["a"] * 250, model="x"), True),
        (row(*MANY.ravel(), keys=["a"] * 256), False),
        (row(keys=["a"] * 256), False),
        (row(*np.zeros(MOST_ARRAY_BYTES // 4)), False),
    ],
)
def test_what_takes_little_time_is_read_at_once(sent: Row | DataFrame, is_read: bool) -> None:
    head = Head.of_type(FRAME if isinstance(sent, DataFrame) else ROW)
    body, codec = sent.SerializeToString(), ProtobufCodec()
    document = codec.parse_at_once(body, head)
    assert (document is not None) is is_read
    if document is not None:
        parsed = codec.parse(body, head)
        assert (document.model, document.single) == ("x", parsed.single)
        assert (document.rows, document.count) == (parsed.rows, parsed.count)
        if document.numbers is not None and parsed.numbers is not None:
            assert document.numbers.tobytes() == parsed.numbers.tobytes()


@pytest.mark.parametrize(
    ("body", "content_type"),
    [(b"\x12\xff", ROW), (b"\x0b\x0c" * 10_000, ROW), (b"", FRAME), (b"", "a/b")],
)
def test_for_what_is_wrong_parse_has_words(body: bytes, content_type: str) -> None:
    for announced in (content_type, f"{content_type}; messageType=odd"):
        assert ProtobufCodec().parse_at_once(body, Head.of_type(announced)) is None
