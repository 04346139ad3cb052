"""Packed arrays by msgpack."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from tfaas_plugins.codecs.msgpack.codec import MsgpackCodec

from tests.plugins.codecs.msgpack.requests import array, bind, packed, refusal
from tests.plugins.codecs.versions import TWO_INPUTS, VK, VK_3, f32, taking
from tfaas_core.models.model import ModelVersion
from tfaas_core.route import Head
from tfaas_core.tensors import NUMPY_DTYPES, BatchAxis
from tfaas_core.testing.models import model_version

encode = msgspec.msgpack.encode


class TestPackedArrays:
    def test_one_row_gets_a_batch_axis(self) -> None:
        bound = bind({"values": packed([1, -2.5])})
        assert (bound.rows, bound.single) == (1, True)
        np.testing.assert_array_equal(bound.arrays["x"], f32([[1, -2.5]]), strict=True)

    def test_one_axis_more_is_a_batch(self) -> None:
        bound = bind({"values": packed([[1, 2], [3, 4], [5, 6]])})
        assert (bound.rows, bound.single) == (3, False)
        np.testing.assert_array_equal(bound.arrays["x"], f32([[1, 2], [3, 4], [5, 6]]), strict=True)

    def test_nor_are_they_copied_out_of_a_long_body(self) -> None:
        rows = np.ones((300_000, 2), "<f4")
        for order in (["dtype", "shape", "data"], ["data", "shape", "dtype"]):
            values = packed(rows, "<f4")
            body = encode({"model": "vk", "values": {name: values[name] for name in order}})
            bound = MsgpackCodec().bind(MsgpackCodec().parse(body, Head()), VK)
            begin = np.frombuffer(body, np.uint8).__array_interface__["data"][0]
            assert begin < bound.arrays["x"].__array_interface__["data"][0] < begin + len(body)

    def test_rows_of_the_models_dtype_are_not_copied(self) -> None:
        codec = MsgpackCodec()
        document = codec.parse(encode({"values": packed(np.zeros((3, 2)))}), Head())
        rows = codec.bind(document, VK).arrays["x"]
        assert np.shares_memory(rows, np.frombuffer(document.values["data"], np.uint8))
        assert rows.flags.aligned

    @pytest.mark.parametrize(
        ("shape", "values", "rows", "single"),
        [
            ((None,), 3, 1, True),
            ((None,), [3, 4], 2, False),
            ((None, None), [1, 2, 3], 1, True),
            ((None, 2, 1), [[1], [2]], 1, True),
            ((None, 2, 1), [[[1], [2]]], 1, False),
            ((None, None, 8), np.zeros((0, 8)), 1, True),
            (None, 3, 1, True),
            (None, [1, 2], 1, True),
            (None, [[1, 2], [3, 4]], 2, False),
            (None, np.zeros((3, 0)), 3, False),
        ],
    )
    def test_the_number_of_axes_tells_rows_from_batches(
        self, shape: tuple[int | None, ...] | None, values: Any, rows: int, single: bool
    ) -> None:
        bound = bind({"values": packed(values)}, taking(shape=shape))
        assert (bound.rows, bound.single) == (rows, single)
        whole = f32([values] if single else values)
        np.testing.assert_array_equal(bound.arrays["x"], whole, strict=True)

    @pytest.mark.parametrize("shape", [(2, 2), (None, None), None])
    def test_without_a_batch_axis_they_are_the_whole_tensor(
        self, shape: tuple[int | None, ...] | None
    ) -> None:
        bound = bind(
            {"values": packed([[1, 2], [3, 4]])}, taking(shape=shape, batch=BatchAxis.NONE)
        )
        assert (bound.rows, bound.single) == (1, True)
        assert bound.arrays["x"].tolist() == [[1, 2], [3, 4]]

    @pytest.mark.parametrize(
        ("values", "version", "message"),
        [
            ([1, 2, 3], VK, "[3], model 'vk' takes [2], or [?, 2] for a batch"),
            ([[1], [2]], VK, "[2, 1], model 'vk' takes [2], or [?, 2] for a batch"),
            ([[[1, 2]]], VK, "[1, 1, 2], model 'vk' takes [2], or [?, 2] for a batch"),
            (3, VK, "[], model 'vk' takes [2], or [?, 2] for a batch"),
            (np.zeros((0, 3)), VK, "[0, 3], model 'vk' takes [2], or [?, 2] for a batch"),
            ([[1, 2]], taking(shape=(2,), batch=BatchAxis.NONE), "[1, 2], model 'vk' takes [2]"),
        ],
    )
    def test_a_wrong_shape_tells_both(
        self, values: Any, version: ModelVersion, message: str
    ) -> None:
        error = refusal({"values": packed(values)}, version)
        assert error.message == f"values has shape {message}"
        assert error.details["field"] == "values"

    @pytest.mark.parametrize(
        ("sent", "shape"),
        [
            ((0, 2), (None, 2)),
            ((0,), (None,)),
            ((0, 7, 3), (None, None, 3)),
            ((0, 0), (None, None)),
        ],
    )
    def test_a_batch_may_have_no_rows(
        self, sent: tuple[int, ...], shape: tuple[int | None, ...]
    ) -> None:
        bound = bind({"values": packed(np.zeros(sent))}, taking(shape=shape))
        assert (bound.rows, bound.single, bound.whole) == (0, False, True)
        np.testing.assert_array_equal(bound.arrays["x"], f32(np.zeros(sent)), strict=True)

    def test_a_batch_of_unknown_rank_may_have_no_rows(self) -> None:
        assert bind({"values": packed(np.zeros((0, 2)))}, taking(shape=None)).rows == 0
        assert bind({"values": packed(np.zeros(0))}, taking(shape=None)).rows == 1

    def test_first_axes_may_be_of_one_and_of_many(self) -> None:
        inputs = {"x": packed([[1, 2]]), "y": packed([[1], [2], [3]])}
        bound = bind({"inputs": inputs}, TWO_INPUTS)
        assert (bound.rows, bound.single, bound.whole) == (3, False, True)

    def test_one_row_of_whole_tensors_has_one_axis_less(self) -> None:
        version = model_version(TWO_INPUTS.signature.inputs, batch=BatchAxis.NONE)
        bound = bind({"inputs": {"x": packed([1, 2]), "y": [3]}}, version)
        assert (bound.rows, bound.single, bound.whole) == (1, True, True)
        assert [a.tolist() for a in bound.arrays.values()] == [[[1, 2]], [[3]]]

    @pytest.mark.parametrize("dtype", ["<f4", ">f8", "<f2"])
    def test_nan_is_taken_where_it_is_accepted(self, dtype: str) -> None:
        got = array({"values": packed([np.nan, 1], dtype)}, taking(nan="accept"))
        np.testing.assert_array_equal(got, f32([[np.nan, 1]]), strict=True)
        pair = packed([complex(np.nan, 1), complex(2, np.nan)], "<c8")
        assert np.isnan(array({"values": pair}, taking("complex64", nan="accept"))).all()

    @pytest.mark.parametrize("value", [np.inf, -np.inf, 1e39])
    def test_infinity_is_refused_even_where_nan_is_accepted(self, value: float) -> None:
        error = refusal({"values": packed([np.nan, value], "<f8")}, taking(nan="accept"))
        assert error.details["field"] == "values[1]"

    @pytest.mark.parametrize("order", "<>")
    @pytest.mark.parametrize("dtype", [name for name in NUMPY_DTYPES if name != "string"])
    def test_every_dtype_comes_in_both_byte_orders(self, dtype: str, order: str) -> None:
        name = order + np.dtype(dtype).str[1:]
        got = array({"values": packed([1, 0], name)}, taking(dtype))
        np.testing.assert_array_equal(got, np.array([[1, 0]], dtype), strict=True)

    @pytest.mark.parametrize(
        ("given", "taken"),
        [
            ("<f8", "float32"),
            ("<f8", "float16"),
            ("<f4", "float16"),
            ("<f2", "float32"),
            ("<i2", "float32"),
            ("|u1", "float16"),
            ("<i4", "float64"),
            ("|u1", "int16"),
            ("<u4", "int64"),
            ("<c16", "complex64"),
            ("<f4", "complex64"),
            ("<i1", "int8"),
        ],
    )
    def test_what_loses_nothing_but_digits_of_floats_is_converted(
        self, given: str, taken: str
    ) -> None:
        got = array({"values": packed([3, 64], given)}, taking(taken))
        np.testing.assert_array_equal(got, np.array([[3, 64]], taken), strict=True)

    @pytest.mark.parametrize(
        ("given", "taken", "shown"),
        [
            ("<i8", "float32", "'<f4'"),
            ("<f4", "int32", "'<i4'"),
            ("<i8", "int32", "'<i4'"),
            ("<i4", "uint32", "'<u4'"),
            ("|b1", "float32", "'<f4'"),
            ("|b1", "int8", "'|i1'"),
            ("|u1", "bool", "'|b1'"),
            ("<c8", "float32", "'<f4'"),
        ],
    )
    def test_other_dtypes_are_refused_and_both_are_named(
        self, given: str, taken: str, shown: str
    ) -> None:
        error = refusal({"values": packed([1, 0], given)}, taking(taken))
        sent = np.dtype(given).name
        assert error.message == (
            f"values is packed as {sent}, model 'vk' takes {taken}; "
            f"pack it as {shown} or send lists"
        )
        assert (error.details["expected"], error.details["got"]) == (taken, sent)

    def test_strings_cannot_be_packed(self) -> None:
        message = refusal({"values": packed([1, 2], "|u1")}, taking("string")).message
        assert message == "values is packed as uint8, model 'vk' takes string; send lists"

    @pytest.mark.parametrize(
        ("values", "dtype", "taken", "message"),
        [
            ([[1, 2], [3, np.nan]], "<f4", "float32", "values[1][1] is NaN, model 'vk' takes num"),
            ([-np.inf, 1], ">f4", "float32", "values[0] is infinite, model 'vk' takes numbers f"),
            ([1, 1e39], "<f8", "float32", "values[1] is 1e+39, model 'vk' takes numbers from -3."),
            ([1, 7e4], "<f4", "float16", "values[1] is 70000.0, model 'vk' takes numbers from -6"),
            ([1, complex(0, np.inf)], "<c8", "complex64", "values[1] is infj, model 'vk' takes n"),
        ],
    )
    def test_numbers_that_are_not_finite_are_named(
        self, values: Any, dtype: str, taken: str, message: str
    ) -> None:
        assert refusal({"values": packed(values, dtype)}, taking(taken)).message.startswith(message)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"dtype": None}, "dtype is null, send one like '<f4': byte order"),
            ({"dtype": 3}, "dtype is 3, send one like"),
            ({"dtype": "f4"}, "dtype is 'f4', send one like"),
            ({"dtype": "float32"}, "dtype is 'float32', send one like"),
            ({"dtype": "<f16"}, "dtype is '<f16', send one like"),
            ({"dtype": "|O"}, "dtype is '|O', send one like"),
            ({"dtype": "|V8"}, "dtype is '|V8', send one like"),
            ({"dtype": "|S8"}, "dtype is '|S8', send one like"),
            ({"dtype": "<M8[s]"}, "dtype is '<M8[s]', send one like"),
            ({"dtype": "2f4"}, "dtype is '2f4', send one like"),
            ({"dtype": "<f4,<f4"}, "dtype is '<f4,<f4', send one like"),
            ({"dtype": "\n" * 100}, "dtype is '" + "\\n" * 40 + "', send one like"),
            ({"shape": 2}, "shape is 2, send a list of sizes"),
            ({"shape": None}, "shape is null, send a list of sizes"),
            ({"shape": [-2]}, "shape[0] is -2, a size is an integer from 0 on"),
            ({"shape": [2.0]}, "shape[0] is 2.0, a size is"),
            ({"shape": [1, True]}, "shape[1] is true, a size is"),
            ({"shape": [1] * 31}, "shape is a list of 31 sizes, send 30 at most"),
            ({"shape": [3]}, "data is 8 bytes long, [3] of <f4 takes 12"),
            ({"shape": []}, "data is 8 bytes long, [] of <f4 takes 4"),
            ({"shape": [2**63, 2**63]}, "data is 8 bytes long, [9223372036854775808, "),
            ({"shape": [2**64 - 1]}, "data is 8 bytes long, [18446744073709551615] of"),
            ({"shape": [0, 2**63]}, "shape is [0, 9223372036854775808], that is too large beside"),
            ({"shape": [2**31, 0, 2]}, "shape is [2147483648, 0, 2], that is too large beside"),
            ({"shape": [0]}, "data is 8 bytes long, [0] of <f4 takes 0"),
            ({"data": "12345678"}, "data is a string, send bin"),
            ({"data": [1, 2]}, "data is a list, send bin"),
            ({"data": b"1234567"}, "data is 7 bytes long, [2] of <f4 takes 8"),
            ({"dtype": "|b1", "data": b"\x01\x02"}, "data is not all 0 and 1, send a byte of"),
        ],
    )
    def test_what_is_no_array_is_told(self, change: dict[str, Any], message: str) -> None:
        broken = packed([1, 2]) | change
        assert refusal({"values": broken}).message.startswith(f"values.{message}")
        inputs = {"x": broken, "y": [1]}
        assert refusal({"inputs": inputs}, TWO_INPUTS).message.startswith(f"inputs.x.{message}")

    @pytest.mark.parametrize("field", ["dtype", "shape", "data"])
    def test_a_missing_field_is_named(self, field: str) -> None:
        broken = packed([1, 2])
        del broken[field]
        message = refusal({"values": broken}).message
        assert message == f"values.{field} is missing, send dtype, shape and data"

    def test_a_packed_row_among_others_is_no_number(self) -> None:
        error = refusal({"values": [packed([1, 2]), packed([3, 4])]})
        assert error.message == "values[0] is an object, model 'vk' takes numbers"

    def test_keys_put_columns_into_the_order_of_features(self) -> None:
        document = {"keys": ["c", "a", "b"], "values": packed([[3, 1, 2], [6, 4, 5]])}
        got = array(document, VK_3)
        assert got.tolist() == [[1, 2, 3], [4, 5, 6]]
        assert got.flags.c_contiguous
        message = refusal({"keys": ["a"], "values": packed([1, 2])}).message
        assert message == "keys names 1 column, values has 2"

    def test_packed_and_listed_inputs_have_as_many_rows(self) -> None:
        bound = bind({"inputs": {"x": packed([[1, 2]] * 2), "y": [[1], [2]]}}, TWO_INPUTS)
        assert (bound.rows, bound.single) == (2, False)
        message = refusal({"inputs": {"x": packed([1, 2]), "y": [[1]]}}, TWO_INPUTS).message
        assert message.startswith("inputs.x is one row, inputs.y is a batch of 1 row")
