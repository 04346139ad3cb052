"""Answers by msgpack: as lists, and packed."""

from __future__ import annotations

import struct
from typing import Any

import msgspec
import numpy as np
import pytest

from tests.plugins.codecs.msgpack.requests import answer, packed, unpacked
from tests.plugins.codecs.versions import f32, giving
from tfaas_core.tensors import NUMPY_DTYPES, Array, BatchAxis, TensorSpec

decode = msgspec.msgpack.decode


def spec(shape: tuple[int | None, ...] | None, dtype: str = "float32") -> TensorSpec:
    return TensorSpec("y", dtype, shape)


PACKED = packed([1, 2])


class TestListsInAnswers:
    @pytest.mark.parametrize("rows", [1, 15, 40])
    def test_float32_is_written_as_float32(self, rows: int) -> None:
        got = answer(giving(spec((None, 2))), False, f32([[0.1, -0.0]] * rows))
        row = b"\x92\xca" + struct.pack(">f", 0.1) + b"\xca\x80\x00\x00\x00"
        assert got == msgspec.msgpack.encode([None] * rows)[:-rows] + row * rows

    def test_float64_is_written_as_float64(self) -> None:
        got = answer(giving(spec((None, 1), "float64")), True, np.array([[0.1]]))
        assert got == b"\x91\xcb" + struct.pack(">d", 0.1)

    @pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
    @pytest.mark.parametrize("size", [1, 15, 16, 70, 65_535, 65_536])
    def test_floats_are_exact_in_lists_of_any_length(self, dtype: str, size: int) -> None:
        values = np.linspace(-1, 1, size).astype(dtype)
        assert decode(answer(giving(spec((None, size), dtype)), True, values[np.newaxis])) == (
            values.tolist()
        )

    @pytest.mark.parametrize("dtype", ["float32", "complex64", "int16", "string"])
    @pytest.mark.parametrize(
        "shape", [(2, 3), (2, 17), (20, 3, 4), (2, 0), (2, 0, 3), (2, 1, 70, 2)]
    )
    def test_outputs_of_any_shape_stay_nested(self, dtype: str, shape: tuple[int, ...]) -> None:
        values = np.arange(np.prod(shape)).reshape(shape)
        if dtype == "string":
            given: Array = values.astype(str).astype(object)
            shown = given.tolist()
            given = np.array([v.encode() for v in given.flat] + [None], object)[:-1].reshape(shape)
        else:
            given = values.astype(dtype)
            pairs = np.stack([values, np.zeros(shape)], -1)
            shown = pairs.tolist() if dtype == "complex64" else values.tolist()
        version = giving(spec((None, *shape[1:]), dtype))
        assert decode(answer(version, False, given)) == shown
        assert decode(answer(version, True, given[:1])) == shown[0]

    def test_one_number_a_row_is_a_list_of_one(self) -> None:
        assert decode(answer(giving(spec((None,))), True, f32([3]))) == [3.0]
        assert decode(answer(giving(spec((None,))), False, f32([3, 4]))) == [[3.0], [4.0]]
        assert decode(answer(giving(spec(()), batch=BatchAxis.NONE), True, f32(3))) == [3.0]

    def test_several_outputs_are_answered_by_name_in_the_models_order(self) -> None:
        version = giving(TensorSpec("b", "float32", (None, 1)), TensorSpec("a", "int32", (None,)))
        got = answer(version, True, f32([[0.5]]), np.array([7], np.int32))
        assert got == b"\x82\xa1b\x91\xca\x3f\x00\x00\x00\xa1a\x91\x07"

    @pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64"])
    @pytest.mark.parametrize("times", [1, 50])
    def test_nan_and_infinities_are_nil(self, dtype: str, times: int) -> None:
        values = np.array([[np.nan, 1, np.inf], [2, -np.inf, 3]] * times, dtype)
        got = decode(answer(giving(spec((None, 3), dtype)), False, values))
        if dtype == "complex64":
            got = [[real for real, _ in row] for row in got]
        assert got == [[None, 1, None], [2, None, 3]] * times

    def test_booleans_integers_and_strings(self) -> None:
        flags = np.array([[True, False]])
        assert answer(giving(spec((None, 2), "bool")), True, flags) == b"\x92\xc3\xc2"
        numbers = np.array([[2**64 - 1, 0]], np.uint64)
        assert decode(answer(giving(spec((None, 2), "uint64")), True, numbers)) == [2**64 - 1, 0]
        texts = np.array([["é".encode(), b"\xff"]], object)
        assert decode(answer(giving(spec((None, 2), "string")), True, texts)) == ["é", b"\xff"]

    @pytest.mark.parametrize("dtype", ["float32", "float16", "int64", "complex64", "bool"])
    @pytest.mark.parametrize("request_", [None, PACKED])
    def test_arrays_in_any_layout_are_written(self, dtype: str, request_: Any) -> None:
        version = giving(spec((None, 2), dtype))
        plain = np.array([[1, 0], [0, 1], [1, 1]], dtype)
        expected = answer(version, False, plain, request=request_)
        swapped = plain.astype(plain.dtype.newbyteorder())
        for other in (np.asfortranarray(plain), swapped, np.repeat(plain, 2, axis=1)[:, ::2]):
            assert answer(version, False, other, request=request_) == expected


class TestPackedAnswers:
    def test_they_have_as_many_rows_as_the_model_answers(self) -> None:
        version = giving(spec((None, 2)), TensorSpec("c", "int8", (2,), constant=True))
        for rows in (0, 2, 3):
            found, constant = np.ones((rows, 2), np.float32), np.array([1, 2], np.int8)
            for single in (True, False):
                got = decode(answer(version, single, found, constant, request=PACKED))
                np.testing.assert_array_equal(unpacked(got["y"]), found, strict=True)
                np.testing.assert_array_equal(unpacked(got["c"]), constant, strict=True)

    def test_a_packed_request_is_answered_packed(self) -> None:
        got = decode(answer(giving(spec((None, 3))), True, f32([[1, 2, 3]]), request=PACKED))
        assert got == packed([1, 2, 3])
        assert list(got) == ["dtype", "shape", "data"]

    def test_a_batch_keeps_its_axis(self) -> None:
        values = f32([[1, 2, 3], [4, np.nan, -np.inf]])
        got = decode(answer(giving(spec((None, 3))), False, values, request=PACKED))
        np.testing.assert_array_equal(unpacked(got), values, strict=True)
        got = decode(answer(giving(spec((None,))), False, f32([3, 4]), request=PACKED))
        assert got["shape"] == [2, 1]

    def test_several_outputs_are_packed_by_name_and_strings_are_lists(self) -> None:
        version = giving(TensorSpec("b", "float64", (None, 1)), TensorSpec("a", "string", (None,)))
        texts = np.array([b"x"], object)
        got = decode(answer(version, True, np.array([[0.5]]), texts, request=PACKED))
        assert got == {"b": packed([0.5], "<f8"), "a": ["x"]}

    @pytest.mark.parametrize("dtype", [name for name in NUMPY_DTYPES if name != "string"])
    def test_every_dtype_is_packed_in_little_endian_order(self, dtype: str) -> None:
        values = np.array([[1, 0]], dtype)
        got = decode(answer(giving(spec((None, 2), dtype)), True, values, request=PACKED))
        assert got["dtype"] == np.dtype(dtype).newbyteorder("<").str
        np.testing.assert_array_equal(unpacked(got), values[0], strict=True)

    def test_an_output_of_no_elements_is_packed_too(self) -> None:
        got = decode(answer(giving(spec((None, 0))), False, f32(np.zeros((2, 0))), request=PACKED))
        assert got == {"dtype": "<f4", "shape": [2, 0], "data": b""}
