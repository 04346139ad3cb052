"""Values by JSON: numbers, texts and truth values of each dtype."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from tests.plugins.codecs.json.requests import INTEGERS, array, bind, refusal
from tests.plugins.codecs.versions import taking
from tfaas_core.tensors import BatchAxis
from tfaas_core.values.numbers import NAN_HINT


class TestDtypes:
    @pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
    def test_floats_take_integers_too(self, dtype: str) -> None:
        got = array({"values": [3, -0.5]}, taking(dtype))
        np.testing.assert_array_equal(got, np.array([[3, -0.5]], dtype), strict=True)

    @pytest.mark.parametrize(
        ("dtype", "number"),
        [("float16", 65504), ("float32", 3.4028234663852886e38), ("float64", 1.7e308)],
    )
    def test_floats_take_their_largest_number(self, dtype: str, number: float) -> None:
        assert array({"values": [number, -number]}, taking(dtype)).tolist() == [[number, -number]]

    @pytest.mark.parametrize(
        ("dtype", "number", "shown"),
        [
            ("float16", "70000", "70000, model 'vk' takes numbers from -65504 to 65504"),
            ("float16", "65520.0", "65520.0, model 'vk' takes numbers from -65504 to 65504"),
            (
                "float32",
                "1e39",
                "1e+39, model 'vk' takes numbers from -3.4028235e+38 to 3.4028235e+38",
            ),
            (
                "float32",
                "-3.4028235677973366e38",
                "-3.4028235677973366e+38, model 'vk' takes numbers "
                "from -3.4028235e+38 to 3.4028235e+38",
            ),
        ],
    )
    def test_numbers_beyond_the_float_are_named(self, dtype: str, number: str, shown: str) -> None:
        body = f'{{"values": [[0, 0], [1, {number}]]}}'.encode()
        error = refusal(body, taking(dtype))
        assert error.message == f"values[1][1] is {shown}"
        assert error.details["field"] == "values[1][1]"

    def test_numbers_too_small_for_the_float_are_zero(self) -> None:
        assert array(b'{"values": [1e-60, -1e-999]}').tolist() == [[0, 0]]

    @pytest.mark.parametrize("dtype", INTEGERS)
    def test_integers_take_all_their_range(self, dtype: str) -> None:
        least, most = INTEGERS[dtype]
        got = array({"values": [least, most]}, taking(dtype))
        assert got.dtype == dtype
        assert got.tolist() == [[least, most]]

    @pytest.mark.parametrize("dtype", INTEGERS)
    @pytest.mark.parametrize("beyond", [-1, 1])
    def test_integers_refuse_what_is_beyond(self, dtype: str, beyond: int) -> None:
        least, most = INTEGERS[dtype]
        number = most + 1 if beyond > 0 else least - 1
        message = refusal({"values": [0, number]}, taking(dtype)).message
        shown = repr(number if -(2**63) <= number < 2**64 else float(number))
        assert message == (
            f"values[1] is {shown}, model 'vk' takes integers from {least} to {most}"
        )

    @pytest.mark.parametrize("number", ["1.0", "1.5", "1e2", "-0.0"])
    def test_integers_refuse_floats(self, number: str) -> None:
        body = f'{{"values": [1, {number}]}}'.encode()
        assert "values[1] is " in refusal(body, taking("int32")).message

    @pytest.mark.parametrize("dtype", ["float32", "float16", "int8", "int64", "uint64", "bool"])
    @pytest.mark.parametrize(
        ("value", "shown"), [(None, "null"), ("1", "a string"), ([1], "a list"), ({}, "an object")]
    )
    def test_what_is_no_number_is_named(self, dtype: str, value: Any, shown: str) -> None:
        good = dtype == "bool" or 1
        noun = {"b": "booleans", "f": "numbers"}.get(np.dtype(dtype).kind, "integers")
        error = refusal({"values": [[good, good], [good, value]]}, taking(dtype))
        hint = NAN_HINT if (noun, value) == ("numbers", None) else ""
        assert error.message == f"values[1][1] is {shown}, model 'vk' takes {noun}{hint}"
        assert error.details == {
            "field": "values[1][1]",
            "expected": noun,
            "got": shown,
            "model": "vk",
        }

    @pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "int64", "uint8"])
    @pytest.mark.parametrize("value", [True, False])
    @pytest.mark.parametrize("field", ["values", "value", "val\\u0075es"])
    def test_numbers_refuse_booleans(self, dtype: str, value: bool, field: str) -> None:
        body = f'{{"{field}": [0, {json.dumps(value)}]}}'.encode()
        assert refusal(body, taking(dtype)).message.startswith(
            f"values[1] is {json.dumps(value)}, model 'vk' takes "
        )
        body = f'{{"inputs": {{"x": [0, {json.dumps(value)}]}}}}'.encode()
        assert refusal(body, taking(dtype)).details["field"] == "inputs.x[1]"

    @pytest.mark.parametrize("value", ["true", "false"])
    @pytest.mark.parametrize(
        "rest",
        [
            '"keys": ["mu", "\\u0066\\u0075"]',
            '"keys": ["f", "u"], "keys": ["a", "b"]',
            '"model": "fu\\u0066\\u0075"',
            '"fu": "fufufu"',
            '"\\u0066\\u0075": 0',
            '"name": "fu", "model": "\\u0075\\u0066"',
        ],
    )
    def test_no_other_field_hides_a_boolean(self, value: str, rest: str) -> None:
        body = f'{{"values": [0, {value}], {rest}}}'.encode()
        assert refusal(body).details["field"] == "values[1]"

    def test_booleans_are_true_and_false_only(self) -> None:
        got = array({"values": [[True, False], [False, True]]}, taking("bool"))
        np.testing.assert_array_equal(got, [[True, False], [False, True]], strict=True)
        message = refusal({"values": [True, 1]}, taking("bool")).message
        assert message == "values[1] is 1, model 'vk' takes booleans"

    def test_strings_are_utf8_or_bytes_in_base64(self) -> None:
        got = array({"values": [["é\0", ""], [{"b64": "AP8="}, "x"]]}, taking("string"))
        assert got.dtype == object
        assert got.tolist() == [["é\0".encode(), b""], [b"\x00\xff", b"x"]]

    @pytest.mark.parametrize("value", ["abc", {"b64": "AP8="}])
    def test_one_string_a_row(self, value: Any) -> None:
        assert array({"values": value}, taking("string", (None,))).shape == (1,)

    @pytest.mark.parametrize(
        "value",
        [
            None,
            1,
            True,
            {},
            {"b64": 1},
            {"b64": "", "x": 1},
        ],
    )
    def test_what_is_no_string_is_named(self, value: Any) -> None:
        message = refusal({"values": ["a", value]}, taking("string")).message
        assert message.startswith("values[1] is ")
        assert message.endswith('model \'vk\' takes strings, or bytes as {"b64": "..."} in base64')

    @pytest.mark.parametrize(
        ("text", "data"),
        [
            ("+/8=", b"\xfb\xff"),
            ("-_8=", b"\xfb\xff"),
            ("-_8", b"\xfb\xff"),
            ("AA", b"\0"),
            ("", b""),
            ("AAAA", b"\0\0\0"),
        ],
    )
    def test_base64_is_standard_or_web_safe_with_or_without_padding(
        self, text: str, data: bytes
    ) -> None:
        got = array({"values": ["x", {"b64": text}]}, taking("string"))
        assert got.tolist() == [[b"x", data]]

    @pytest.mark.parametrize(
        "text", ["a", "A*P8=", "é", "+_8=", "AA=", "AA AA", "AAAA=", "=", "AAAA\n"]
    )
    def test_other_texts_are_said_to_be_no_base64(self, text: str) -> None:
        assert refusal({"values": ["a", {"b64": text}]}, taking("string")).message == (
            "values[1] is {\"b64\": ...} of a text that is not base64, model 'vk' takes strings, "
            'or bytes as {"b64": "..."} in base64'
        )

    @pytest.mark.parametrize("dtype", ["complex64", "complex128"])
    def test_complex_numbers_are_pairs(self, dtype: str) -> None:
        row = np.array([[1 + 2j, -3.5j]], dtype)
        np.testing.assert_array_equal(
            array({"values": [[1, 2], [0, -3.5]]}, taking(dtype)), row, strict=True
        )
        batch = bind({"values": [[[1, 2], [0, -3.5]]] * 3}, taking(dtype))
        assert (batch.rows, batch.single) == (3, False)
        whole = taking(dtype, None, BatchAxis.NONE)
        assert array({"values": [1, 2]}, whole) == np.array(1 + 2j, dtype)

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            (
                [1, 2],
                "values is nested 1 deep, model 'vk' takes a list of 2 [re, im] pairs, "
                "or a list of such lists for a batch",
            ),
            ([[1, 2]], "values has 1 [re, im] pair, model 'vk' takes 2"),
            ([[1, 2], [3]], "values[1] has 1 number, model 'vk' takes 2"),
            ([[1, 2], [3, None]], f"values[1][1] is null, model 'vk' takes numbers{NAN_HINT}"),
            ([[1, 2], 3], "values[1] is 3, model 'vk' takes a list here"),
        ],
    )
    def test_what_is_no_pair_is_named(self, values: Any, message: str) -> None:
        assert refusal({"values": values}, taking("complex64")).message == message

    def test_a_fault_late_in_a_large_batch_is_found(self) -> None:
        rows: list[list[Any]] = [[float(i), i] for i in range(20_000)]
        rows[17_777][1] = None
        assert refusal({"values": rows}).details["field"] == "values[17777][1]"
