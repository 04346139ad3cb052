"""Messages of protocol buffers, field by field: what Google's parser finds, and nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st
from tfaas_plugins.protocols.packed import count, packed, unpacked
from tfaas_plugins.protocols.private_pool import message_class
from tfaas_plugins.wire import FIXED32, FIXED64, LENGTH, VARINT, field, fields, varint

from tfaas_core.errors import BadBody

INT64 = np.dtype(np.int64)

int64s = st.integers(-(2**63), 2**63 - 1)
contents = st.binary(max_size=300)


def found(body: bytes) -> list[tuple[int, int, bytes]]:
    return [(tag >> 3, tag & 7, body[start:stop]) for tag, start, stop in fields(body)]


def test_each_kind_of_field_is_found() -> None:
    body = b"\x08\x96\x01\x11" + b"8" * 8 + b"\x1a\x02hi\x25" + b"4444" + b"\x82\x01\x00"
    assert found(body) == [
        (1, VARINT, b"\x96\x01"),
        (2, FIXED64, b"8" * 8),
        (3, LENGTH, b"hi"),
        (4, FIXED32, b"4444"),
        (16, LENGTH, b""),
    ]


def test_groups_are_passed_over() -> None:
    body = b"\x0b\x13\x1a\x01x\x14\x0c\x10\x05"
    assert found(body) == [(2, VARINT, b"\x05")]


def test_groups_hold_so_many_tags_and_no_more() -> None:
    full = (b"\x0b" + b"\x10\x05" * 98 + b"\x0c") * 100
    assert found(full + b"\x10\x05") == [(2, VARINT, b"\x05")]
    for more in (full + b"\x0b\x0c", b"\x0b\x0c" * 5001, b"\x0b" + b"\x10\x05" * 9999 + b"\x0c"):
        with pytest.raises(BadBody, match=r"groups of more than 10000 tags; leave them out"):
            list(fields(more))


def test_a_part_of_the_body_is_a_message() -> None:
    assert list(fields(b"\xff\x08\x01\xff", 1, 3)) == [(8, 2, 3)]


@pytest.mark.parametrize(
    "body",
    [
        b"\x08",
        b"\x08\x80",
        b"\x08" + b"\xff" * 11,
        b"\x0a\x05four",
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
        b"\x15\x00\x00\x00",
        b"\x11\x00",
        b"\x00\x00",
        b"\x07",
        b"\x0e",
        b"\x0c",
        b"\x0b\x14",
        b"\x0b",
        b"\x0b" * 5000,
        b"\xff" * 20,
    ],
)
def test_what_is_broken_is_the_clients_error(body: bytes) -> None:
    with pytest.raises(BadBody, match="message is broken"):
        list(fields(body))
    with pytest.raises(DecodeError):
        message_class("tensorflow.TensorProto").FromString(body)


@given(st.lists(st.tuples(st.integers(1, 2**29 - 1), st.lists(contents, max_size=3)), max_size=5))
def test_what_is_written_is_found(written: list[tuple[int, list[bytes]]]) -> None:
    body = b"".join(piece for number, pieces in written for piece in field(number, pieces))
    assert found(body) == [(number, LENGTH, b"".join(pieces)) for number, pieces in written]


def same(step: Any) -> Any:
    return step


@given(st.lists(int64s, max_size=50))
def test_numbers_are_packed_as_googles_library_packs_them(numbers: list[int]) -> None:
    message = message_class("tensorflow.Int64List")(value=numbers)
    data = packed(np.array(numbers, np.int64))
    assert (b"\x0a" + varint(len(data)) + data if numbers else b"") == message.SerializeToString()
    assert unpacked(data, INT64, same).tolist() == numbers
    assert count(data) == len(numbers)


def test_so_many_that_they_take_several_steps() -> None:
    numbers = np.arange(-200_000, 400_000)
    data = packed(numbers)
    assert count(data) == len(numbers)
    np.testing.assert_array_equal(unpacked(memoryview(data), INT64, same), numbers)


@pytest.mark.parametrize("dtype", ["uint64", "uint8", "int8", "bool", "uint32"])
def test_numbers_of_all_dtypes(dtype: str) -> None:
    numbers = np.array([0, 1, 255, -1], np.int64).astype(dtype)
    back = unpacked(packed(numbers), numbers.dtype, lambda step: step.astype(dtype))
    np.testing.assert_array_equal(back, numbers)


@pytest.mark.parametrize("data", [b"\x80", b"\xff" * 11 + b"\x01", b"\x01" * 70_000 + b"\x80" * 9])
def test_numbers_that_do_not_end_are_the_clients_error(data: bytes) -> None:
    with pytest.raises(BadBody, match="does not end"):
        unpacked(data, INT64, same)
