"""Values as msgpack's lists."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np
import pytest

from tests.plugins.codecs.msgpack.requests import array, bind, refusal
from tests.plugins.codecs.versions import VK_3, f32, taking
from tfaas_core.values.numbers import NAN_HINT

EIGHT = [1, 2.5, -3, 0, 5, 6, 7, 8]


class TestLists:
    def test_rows_and_batches_are_told_by_their_nesting(self) -> None:
        assert bind({"values": [1, 2]}).single
        batch = bind({"value": [[1, 2], [3, 4]]})
        assert (batch.rows, batch.single) == (2, False)
        np.testing.assert_array_equal(batch.arrays["x"], f32([[1, 2], [3, 4]]), strict=True)

    def test_floats_of_both_sizes_and_integers_are_numbers(self) -> None:
        body = b"\x81\xa6values\x92" + b"\xca" + struct.pack(">f", 0.1) + b"\xd0\xfe"
        np.testing.assert_array_equal(array(body), f32([[0.1, -2]]), strict=True)

    @pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
    @pytest.mark.parametrize(
        ("number", "shown"), [(np.nan, "NaN"), (np.inf, "infinite"), (-np.inf, "infinite")]
    )
    @pytest.mark.parametrize("before", [1, 500])
    def test_nan_and_infinities_are_refused(
        self, dtype: str, number: float, shown: str, before: int
    ) -> None:
        largest = f"{float(np.finfo(dtype).max):.8g}"
        error = refusal({"values": [[1, 2]] * before + [[3, number]]}, taking(dtype))
        place = f"values[{before}][1]"
        assert error.message == (
            f"{place} is {shown}, model 'vk' takes numbers from -{largest} to {largest}"
            + (NAN_HINT if shown == "NaN" else "")
        )
        assert error.details["field"] == place

    def test_numbers_whose_sum_is_infinite_are_taken(self) -> None:
        largest = float(np.finfo(np.float64).max)
        assert array({"values": [largest, largest]}, taking("float64")).tolist() == [[largest] * 2]

    def test_nan_in_a_complex_number_is_refused(self) -> None:
        error = refusal({"values": [[1, 2], [3, np.nan]]}, taking("complex64"))
        assert error.details["field"] == "values[1][1]"
        assert array({"values": [[1, 2], [3, 4]]}, taking("complex64")).tolist() == [
            [1 + 2j, 3 + 4j]
        ]

    @pytest.mark.parametrize(
        ("value", "shown"),
        [
            (None, "null"),
            (True, "true"),
            ("1", "a string"),
            (b"1", "bytes"),
            ([1], "a list"),
            ({}, "an object"),
            (datetime.now(UTC), "a timestamp"),
            (msgspec.msgpack.Ext(5, b"1"), "an extension"),
        ],
    )
    def test_what_is_no_number_is_named(self, value: Any, shown: str) -> None:
        error = refusal({"values": [[1, 2], [3, value]]})
        hint = NAN_HINT if value is None else ""
        assert error.message == f"values[1][1] is {shown}, model 'vk' takes numbers{hint}"

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            ([EIGHT, bytes(8)], "values[1] is bytes, model 'vk' takes a list here"),
            ([EIGHT, "12345678"], "values[1] is a string, model 'vk' takes a list here"),
            ([EIGHT, dict.fromkeys(EIGHT, 1)], "values[1] is an object, model 'vk' takes a list"),
            ([EIGHT, None], "values[1] is null, model 'vk' takes a list here"),
            ([EIGHT, EIGHT[1:]], "values[1] has 7 numbers, model 'vk' takes 8"),
            ([*EIGHT[1:], True], "values[7] is true, model 'vk' takes numbers"),
            ([EIGHT, [*EIGHT[1:], False]], "values[1][7] is false, model 'vk' takes numbers"),
            ([EIGHT, [*EIGHT[1:], np.nan]], "values[1][7] is NaN, model 'vk' takes numbers"),
            ([EIGHT] * 50 + [[*EIGHT[1:], np.inf]], "values[50][7] is infinite, model 'vk' takes"),
        ],
    )
    def test_what_is_no_row_of_eight_is_named(self, values: Any, message: str) -> None:
        error = refusal({"values": values}, taking(shape=(None, 8)))
        assert error.message.startswith(message)

    @pytest.mark.parametrize("value", [1.0, np.nan])
    def test_integers_refuse_floats(self, value: float) -> None:
        assert "values[1] is " in refusal({"values": [1, value]}, taking("int64")).message

    def test_integers_take_all_64_bits(self) -> None:
        row = [2**64 - 1, 0]
        assert array({"values": row}, taking("uint64")).tolist() == [row]

    def test_strings_are_str_or_bin(self) -> None:
        version = taking("string")
        got = array({"values": [["é", b"\xff"], ["", {"b64": "AP8="}]]}, version)
        assert got.tolist() == [["é".encode(), b"\xff"], [b"", b"\x00\xff"]]
        message = refusal({"values": ["a", 1]}, version).message
        assert message == "values[1] is 1, model 'vk' takes strings or bin"

    def test_keys_put_values_into_the_order_of_features(self) -> None:
        document = {"keys": ["b", "a", "c"], "values": [[2, 1, 3], [5, 4, 6]]}
        assert array(document, VK_3).tolist() == [[1, 2, 3], [4, 5, 6]]
        error = refusal({"keys": ["a", "b"], "values": [1, 2]}, VK_3)
        assert error.message == "key 'c' is missing, model 'vk' takes each of its features once"


class TestNan:
    @pytest.mark.parametrize("missing", [None, float("nan"), "NaN"])
    def test_it_is_taken_where_it_is_accepted(self, missing: Any) -> None:
        for dtype in ("float16", "float32", "float64"):
            got = array({"values": [1.5, missing]}, taking(dtype, nan="accept"))
            np.testing.assert_array_equal(got, np.array([[1.5, np.nan]], dtype), strict=True)
        rows = [[0.5, missing], *[[1.0, 2.0]] * 300, [missing, 1.0]]
        got = array({"values": rows}, taking(nan="accept"))
        assert np.argwhere(np.isnan(got)).tolist() == [[0, 1], [301, 0]]
        got = array({"values": [[missing, 1], [2, missing]]}, taking("complex64", nan="accept"))
        assert np.isnan(got).all()

    @pytest.mark.parametrize("wrong", [float("inf"), -float("inf"), "nan", b"NaN", True])
    def test_all_else_is_refused_even_there(self, wrong: Any) -> None:
        for row in ([None, wrong], [0.5, wrong]):
            error = refusal({"values": row}, taking(nan="accept"))
            assert error.details["field"] == "values[1]"

    def test_integers_cannot_be_missing(self) -> None:
        refusal({"values": [1, None]}, taking("int32", nan="accept"))
