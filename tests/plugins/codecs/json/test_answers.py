"""Answers by JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.plugins.codecs.json.requests import INTEGERS, answer
from tests.plugins.codecs.versions import f32, giving
from tfaas_core.tensors import BatchAxis, TensorSpec


def spec(shape: tuple[int | None, ...] | None, dtype: str = "float32") -> TensorSpec:
    return TensorSpec("y", dtype, shape)


class TestEncode:
    def test_the_documented_answer_to_the_byte(self) -> None:
        assert answer(giving(spec((None, 1))), True, f32([[0.7310586]])) == b"[0.7310586]"

    def test_a_batch_is_answered_by_a_list_of_lists(self) -> None:
        got = answer(giving(spec((None, 2))), False, f32([[1, 2], [0.1, -0.5]]))
        assert got == b"[[1.0,2.0],[0.1,-0.5]]"

    def test_a_batch_of_one_is_answered_as_a_batch(self) -> None:
        assert answer(giving(spec((None, 2))), False, f32([[1, 2]])) == b"[[1.0,2.0]]"

    def test_one_number_a_row_is_a_list_of_one(self) -> None:
        assert answer(giving(spec((None,))), True, f32([3])) == b"[3.0]"
        assert answer(giving(spec((None,))), False, f32([3, 4])) == b"[[3.0],[4.0]]"

    def test_outputs_of_higher_rank_stay_nested(self) -> None:
        row = [[1, 2], [3, 4]]
        version = giving(spec((None, 2, 2)))
        assert answer(version, True, f32([row])) == b"[[1.0,2.0],[3.0,4.0]]"
        assert json.loads(answer(version, False, f32([row, row]))) == [row, row]

    def test_several_outputs_are_answered_by_name_in_the_models_order(self) -> None:
        version = giving(TensorSpec("b", "float32", (None, 2)), TensorSpec("a", "int32", (None,)))
        numbers = np.array([7], np.int32)
        assert answer(version, True, f32([[1, 2]]), numbers) == b'{"b":[1.0,2.0],"a":[7]}'
        batch = answer(version, False, f32([[1, 2], [3, 4]]), np.array([7, 8], np.int32))
        assert batch == b'{"b":[[1.0,2.0],[3.0,4.0]],"a":[[7],[8]]}'

    def test_without_a_batch_axis_outputs_are_whole(self) -> None:
        version = giving(spec((None, 2)), batch=BatchAxis.NONE)
        assert answer(version, True, f32([[1, 2], [3, 4]])) == b"[[1.0,2.0],[3.0,4.0]]"
        version = giving(spec(None), TensorSpec("z", "int8", ()), batch=BatchAxis.NONE)
        got = answer(version, True, f32([1, 2]), np.array(3, np.int8))
        assert got == b'{"y":[1.0,2.0],"z":[3]}'

    def test_without_a_batch_axis_one_number_is_a_list_of_one(self) -> None:
        assert answer(giving(spec(()), batch=BatchAxis.NONE), True, f32(3)) == b"[3.0]"

    @pytest.mark.parametrize("dtype", ["float32", "float16", "complex64", "int64", "bool"])
    @pytest.mark.parametrize("shape", [(2, 40_000), (40_000, 2), (1, 3, 20_000)])
    def test_a_large_output_is_written_as_small_ones_are(
        self, dtype: str, shape: tuple[int, ...]
    ) -> None:
        array = np.random.default_rng(3).integers(0, 99, shape).astype(dtype)
        version = giving(spec((None, *shape[1:]), dtype))
        rows = [answer(version, True, row[np.newaxis]) for row in array[:50]]
        found = answer(version, False, array)
        assert found.startswith(b"[" + b",".join(rows))
        assert np.array(json.loads(found)).shape[: len(shape)] == shape

    def test_an_output_of_no_elements_is_an_empty_list(self) -> None:
        assert answer(giving(spec((None, 0))), True, f32(np.zeros((1, 0)))) == b"[]"
        assert answer(giving(spec((None, 0))), False, f32(np.zeros((2, 0)))) == b"[[],[]]"

    @pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64"])
    def test_nan_and_infinities_are_null(self, dtype: str) -> None:
        got = answer(giving(spec((None, 3), dtype)), True, np.array([[np.nan, np.inf, 1]], dtype))
        pair = dtype == "complex64"
        assert got == (b"[[null,0.0],[null,0.0],[1.0,0.0]]" if pair else b"[null,null,1.0]")
        assert answer(giving(spec((None, 1))), True, f32([[-np.inf]])) == b"[null]"

    @pytest.mark.parametrize(
        ("dtype", "number", "digits"),
        [
            ("float32", 0.1, b"0.1"),
            ("float32", 1 / 3, b"0.33333334"),
            ("float32", 2.815438e-08, b"2.815438e-8"),
            ("float32", 16777216, b"16777216.0"),
            ("float64", 1 / 3, b"0.3333333333333333"),
            ("float64", 0.1, b"0.1"),
            ("float16", 0.731, b"0.731"),
            ("float16", 1 / 3, b"0.3333"),
            ("float16", 0.1, b"0.1"),
            ("float16", -2.5, b"-2.5"),
        ],
    )
    def test_numbers_have_the_fewest_digits(self, dtype: str, number: float, digits: bytes) -> None:
        got = answer(giving(spec((None, 1), dtype)), True, np.array([[number]], dtype))
        assert got == b"[" + digits + b"]"

    def test_every_float16_reads_back_as_itself(self) -> None:
        every = np.arange(2**16, dtype=np.uint16).view(np.float16)
        finite = every[np.isfinite(every)]
        text = answer(giving(spec((None, None), "float16")), True, finite[np.newaxis])
        back = np.array(json.loads(text)).astype(np.float16)
        np.testing.assert_array_equal(back.view(np.uint16), finite.view(np.uint16))
        digits = [
            len(number.partition("e")[0].strip("-0.").replace(".", ""))
            for number in text.decode()[1:-1].split(",")
        ]
        assert max(digits) <= 5

    @pytest.mark.parametrize("dtype", INTEGERS)
    def test_integers_are_exact(self, dtype: str) -> None:
        limits = list(INTEGERS[dtype])
        got = answer(giving(spec((None, 2), dtype)), True, np.array([limits], dtype))
        assert json.loads(got) == limits
        assert b"." not in got

    def test_booleans_strings_and_complex_numbers(self) -> None:
        flags = np.array([[True, False]])
        assert answer(giving(spec((None, 2), "bool")), True, flags) == b"[true,false]"
        texts = np.array([["é".encode(), b"\xff"], [b"", b'"']], object)
        got = answer(giving(spec((None, 2), "string")), False, texts)
        assert got == '[["é",{"b64":"/w=="}],["","\\""]]'.encode()
        got = answer(giving(spec((None,), "complex128")), True, np.array([1 - 2.5j]))
        assert got == b"[[1.0,-2.5]]"

    @pytest.mark.parametrize("dtype", ["float32", "float16", "int64", "complex64", "bool"])
    def test_arrays_in_any_layout_are_written(self, dtype: str) -> None:
        version = giving(spec((None, 2), dtype))
        plain = np.array([[1, 0], [0, 1], [1, 1]], dtype)
        expected = answer(version, False, plain)
        assert answer(version, False, np.asfortranarray(plain)) == expected
        assert answer(version, False, plain.astype(plain.dtype.newbyteorder())) == expected
        assert answer(version, False, np.repeat(plain, 2, axis=1)[:, ::2]) == expected
        assert answer(version, True, plain[::-1][:1]) == answer(version, True, plain[2:])
