"""Rows by protobuf, to models of any dtype."""

from __future__ import annotations

import numpy as np
import pytest

from tests.plugins.codecs.protobuf.requests import array, refusal, row
from tests.plugins.codecs.versions import f32, taking

INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]


class TestDtypes:
    @pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
    def test_floats_are_rounded_to_the_models_dtype(self, dtype: str) -> None:
        expected = f32([[0.1, -3]]).astype(dtype)
        np.testing.assert_array_equal(array(row(0.1, -3), taking(dtype)), expected, strict=True)

    def test_numbers_beyond_the_float_are_named(self) -> None:
        error = refusal(row(1, 65520), taking("float16"))
        assert error.message == (
            "value[1] is 65520.0, model 'vk' takes numbers from -65504 to 65504"
        )

    @pytest.mark.parametrize("dtype", INTEGERS)
    def test_integers_take_whole_numbers(self, dtype: str) -> None:
        got = array(row(3, -0.0), taking(dtype))
        np.testing.assert_array_equal(got, np.array([[3, 0]], dtype), strict=True)

    @pytest.mark.parametrize("dtype", INTEGERS)
    def test_integers_take_what_float32_has_of_their_range(self, dtype: str) -> None:
        limits = np.iinfo(dtype)
        most = f32(limits.max)
        if int(most) > limits.max:
            most = np.nextafter(most, f32(0))
        got = array(row(float(limits.min), float(most)), taking(dtype))
        assert got.tolist() == [[limits.min, int(most)]]

    @pytest.mark.parametrize("dtype", INTEGERS)
    def test_integers_refuse_what_is_beyond(self, dtype: str) -> None:
        limits = np.iinfo(dtype)
        for number in (float(limits.max) + 1, np.nextafter(f32(limits.min), f32(-np.inf)) - 1):
            error = refusal(row(1, float(number)), taking(dtype))
            assert error.message.startswith("value[1] is ")
            assert error.message.endswith(
                f", model 'vk' takes integers from {limits.min} to {limits.max}"
            )

    @pytest.mark.parametrize(
        ("number", "shown"), [(0.5, "0.5"), (0.1, "0.1"), (np.nan, "NaN"), (np.inf, "infinite")]
    )
    def test_integers_refuse_fractions(self, number: float, shown: str) -> None:
        error = refusal(row(1, number), taking("int8"))
        assert error.message == f"value[1] is {shown}, model 'vk' takes integers from -128 to 127"


class TestNan:
    @pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
    def test_it_is_taken_where_it_is_accepted(self, dtype: str) -> None:
        got = array(row(np.nan, 1), taking(dtype, nan="accept"))
        np.testing.assert_array_equal(got, np.array([[np.nan, 1]], dtype), strict=True)

    def test_but_no_infinity_and_no_integer(self) -> None:
        assert "value[1] is infinite" in refusal(row(np.nan, np.inf), taking(nan="accept")).message
        assert "value[0] is NaN" in refusal(row(np.nan, 1), taking("int8", nan="accept")).message
