"""Tensors that clients send, in every way that TensorProto allows; and lies."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tfaas_plugins.protocols.budget import Budget
from tfaas_plugins.protocols.private_pool import message_class
from tfaas_plugins.protocols.tfserving.dtypes import dtype_of
from tfaas_plugins.protocols.tfserving.predict_messages import tensor_pieces
from tfaas_plugins.protocols.tfserving.sent import SentTensor

from tfaas_core.errors import BadBody, TooLarge
from tfaas_core.tensors import NUMPY_DTYPES, Array, TensorSpec

NUMBERS = [name for name in NUMPY_DTYPES if name != "string"]


def read(body: bytes, most: int = 1000) -> Array:
    budget = Budget(most)
    tensor = SentTensor("x")
    tensor.read(body, 0, len(body), budget)
    return tensor.array(budget)


def proto(shape: list[int] | None = None, **values: Any) -> bytes:
    message = message_class("tensorflow.TensorProto")(**values)
    for size in shape or []:
        message.tensor_shape.dim.add(size=size)
    return bytes(message.SerializeToString())


def written(array: Array, dtype: str) -> bytes:
    return b"".join(tensor_pieces(array, dtype_of(TensorSpec("x", dtype, None))))


def test_one_value_stands_for_all() -> None:
    assert read(proto([2, 3], dtype="DT_FLOAT", float_val=[1.5])).tolist() == [[1.5] * 3] * 2
    assert read(proto([2], dtype="DT_STRING", string_val=[b"a"])).tolist() == [b"a", b"a"]
    assert read(proto([4], dtype="DT_INT64", int64_val=[7, -8])).tolist() == [7, -8, -8, -8]


def test_no_value_stands_for_zeros() -> None:
    assert read(proto([2], dtype="DT_INT32")).tolist() == [0, 0]
    assert read(proto([2], dtype="DT_STRING")).tolist() == [b"", b""]


def test_without_a_shape_it_is_a_scalar() -> None:
    assert read(proto(dtype="DT_DOUBLE", double_val=[0.1])).tolist() == 0.1


def test_a_reference_is_what_it_refers_to() -> None:
    assert read(proto(dtype="DT_FLOAT_REF", float_val=[2])).dtype == np.float32


def test_content_counts_if_values_are_there_too() -> None:
    body = proto([1], dtype="DT_UINT8", tensor_content=b"\x05", int_val=[6])
    assert read(body).tolist() == [5]


def test_integers_are_exact() -> None:
    numbers = [2**63 - 1, -(2**63), 9007199254740993]
    assert read(proto([3], dtype="DT_INT64", int64_val=numbers)).tolist() == numbers
    assert read(proto([1], dtype="DT_UINT64", uint64_val=[2**64 - 1])).tolist() == [2**64 - 1]


def test_halves_are_bits() -> None:
    assert read(proto([2], dtype="DT_HALF", half_val=[0x3E00, 0xC000])).tolist() == [1.5, -2]
    brain = read(proto([2], dtype="DT_BFLOAT16", half_val=[0x3FC0, 0x7F80]))
    assert brain.dtype == np.float32
    assert brain.tolist() == [1.5, np.inf]
    content = read(proto([1], dtype="DT_BFLOAT16", tensor_content=b"\xc0\x3f"))
    assert content.tolist() == [1.5]


def test_numbers_that_are_not_packed() -> None:
    body = proto([2], dtype="DT_FLOAT") + b"\x2d\x00\x00\x80\x3f" * 2
    assert read(body).tolist() == [1, 1]
    assert read(proto([3], dtype="DT_INT64") + b"\x50\x07\x50\x08\x52\x01\x09").tolist() == [
        7,
        8,
        9,
    ]


def test_strings_in_the_content_are_their_lengths_and_they() -> None:
    body = proto([2], dtype="DT_STRING", tensor_content=b"\x01\x03abcd")
    assert read(body).tolist() == [b"a", b"bcd"]


def test_bools_are_bools() -> None:
    content = read(proto([2], dtype="DT_BOOL", tensor_content=b"\x02\x00"))
    assert content.view(np.uint8).tolist() == [1, 0]


@given(st.data(), st.sampled_from(NUMBERS))
def test_what_is_answered_can_be_sent_again(data: st.DataObject, dtype: str) -> None:
    shapes = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)
    array = data.draw(hnp.arrays(NUMPY_DTYPES[dtype], shapes))
    again = read(written(array, dtype))
    assert again.dtype == array.dtype
    np.testing.assert_array_equal(again, array)
    content = array.astype(array.dtype.newbyteorder("<")).tobytes()
    name = dtype_of(TensorSpec("x", dtype, None)).name
    np.testing.assert_array_equal(
        read(proto([*array.shape], dtype=name, tensor_content=content)), array
    )


@given(st.lists(st.binary(max_size=5), max_size=5))
def test_so_can_strings(values: list[bytes]) -> None:
    array = np.empty(len(values), object)
    array[:] = values
    assert read(written(array, "string")).tolist() == values


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (proto([2], dtype="DT_FLOAT", tensor_content=b"123"), "has 3 bytes, DT_FLOAT of its shape"),
        (proto([2], dtype="DT_FLOAT", tensor_content=b"1" * 12), "has 12 bytes"),
        (proto([-1], dtype="DT_FLOAT"), "invalid dimensions"),
        (proto([2**40, 2**40], dtype="DT_FLOAT"), "exceed maximum size"),
        (proto([0, 2**62], dtype="DT_FLOAT"), "exceed maximum size"),
        (proto([1] * 300, dtype="DT_FLOAT"), "exceed maximum size"),
        (proto([1] * 40_000, dtype="DT_FLOAT"), "tensor_shape has more than 65536 bytes"),
        (proto([1], dtype="DT_FLOAT", float_val=[1, 2]), "2 values, its shape [1] has 1 elements"),
        (proto([0], dtype="DT_FLOAT", float_val=[1]), "1 values, its shape [0]"),
        (proto([1], dtype="DT_STRING", string_val=[b"a"] * 2), "string_val has 2 values"),
        (proto([1], dtype="DT_INT64", int64_val=[1, 2]), "int64_val has 2 values"),
        (
            proto([1], dtype="DT_FLOAT", double_val=[1]),
            "are in double_val, those of DT_FLOAT",
        ),
        (proto([1], dtype="DT_FLOAT", string_val=[b"1"]), "values are in string_val"),
        (proto([1], dtype="DT_INT8", int_val=[128]), "DT_INT8 does not hold 128"),
        (proto([1], dtype="DT_UINT8", int_val=[-1]), "DT_UINT8 does not hold -1"),
        (proto([1], dtype="DT_HALF", half_val=[65536]), "DT_HALF does not hold 65536"),
        (proto([1], dtype="DT_QINT8", int_val=[1]), "DT_QINT8 is not served"),
        (proto([1], dtype="DT_RESOURCE"), "DT_RESOURCE is not served"),
        (proto([1], float_val=[1]), "DT_INVALID is not served"),
        (b"\x08\xe8\x07", "dtype 1000 is not served"),
        (b"\x08\x01\x2a\x03abc\x12\x04\x12\x02\x08\x01", "part of a value at its end"),
        (b"\x08\x01\x12\x01\xff", "tensor_shape is broken"),
        (b"\x08\x01\x12\x06\x12\x02\x08\x01\x18\x01", "an unknown rank"),
        (proto([2], dtype="DT_STRING", tensor_content=b"\x01\x03abc"), "does not hold 2 strings"),
        (proto([2**40], dtype="DT_STRING", tensor_content=b"\x01"), "more than 1000 strings"),
        (proto([1], dtype="DT_INT64") + b"\x52\x01\x80", "part of a value at its end"),
        (proto([1], dtype="DT_INT64") + b"\x52\x0c" + b"\xff" * 11 + b"\x01", "does not end"),
        (proto([1], dtype="DT_COMPLEX64", scomplex_val=[1]), "one half of a number at its end"),
        (proto([1], dtype="DT_INT64", int64_val=[1]) + b"\x32\x01\x00", "double_val has a part"),
        (b"\x08\x01\x12", "ends within a field"),
    ],
)
def test_lies_are_the_clients_error(body: bytes, told: str) -> None:
    with pytest.raises((BadBody, TooLarge)) as refused:
        read(body)
    assert told in refused.value.message


def test_it_becomes_no_more_objects_than_a_limit_says() -> None:
    with pytest.raises(TooLarge, match=r"more than 1000 strings and fields \(limits.max_values\)"):
        read(proto(dtype="DT_STRING", string_val=[b""] * 1000))


@given(st.binary(max_size=60))
def test_rubbish_is_the_clients_error(body: bytes) -> None:
    with suppress(BadBody, TooLarge):
        read(body)
