"""Rows by protobuf: batches, dtypes, keys, and what does not fit."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from tfaas_plugins.codecs.protobuf.codec import ProtobufCodec
from tfaas_plugins.codecs.protobuf.tfaas_pb2 import DataFrame, Row
from tfaas_plugins.codecs.values.leaves import NAN_HINT

from tests.plugins.codecs.protobuf.requests import ROW, array, bind, frame, refusal, row
from tests.plugins.codecs.versions import VK, VK_3, f32, giving, taking
from tfaas_core.models.model import ModelVersion
from tfaas_core.route import Head
from tfaas_core.tensors import BatchAxis, Bound, TensorSpec
from tfaas_core.testing.models import model_version


class TestRowsAndBatches:
    def test_a_row_is_one_row(self) -> None:
        bound = bind(row(1, -2.5))
        assert (bound.rows, bound.single) == (1, True)
        np.testing.assert_array_equal(bound.arrays["x"], f32([[1, -2.5]]), strict=True)

    def test_a_data_frame_is_a_batch(self) -> None:
        bound = bind(frame(row(1, 2), row(3, 4), row(5, 6)))
        assert (bound.rows, bound.single) == (3, False)
        np.testing.assert_array_equal(bound.arrays["x"], f32([[1, 2], [3, 4], [5, 6]]), strict=True)

    def test_a_data_frame_of_one_row_is_a_batch_of_one(self) -> None:
        assert not bind(frame(row(1, 2))).single

    def test_values_are_read_packed_and_one_by_one(self) -> None:
        one, two = struct.pack("<f", 0.1), struct.pack("<f", -2)
        codec = ProtobufCodec()
        for body in (
            b"\x12\x08" + one + two,
            b"\x15" + one + b"\x15" + two,
            b"\x12\x04" + one + b"\x15" + two,
            b"\x15" + one + b"\x0a\x00\x0a\x00" + b"\x12\x04" + two,
        ):
            bound = codec.bind(codec.parse(body, Head.of_type(ROW)), VK)
            np.testing.assert_array_equal(bound.arrays["x"], f32([[0.1, -2]]), strict=True)

    def test_every_finite_float32_arrives_as_it_was_sent(self) -> None:
        bits = np.random.default_rng(1).integers(0, 2**32, 5000, np.uint32).view(np.float32)
        finite = bits[np.isfinite(bits)]
        got = array(row(*finite.tolist()), taking(shape=(None, None)))
        assert got.tobytes() == finite.tobytes()

    @pytest.mark.parametrize(
        ("shape", "values", "expected"),
        [
            ((None,), [3], 3),
            ((None, None), [1, 2, 3], [1, 2, 3]),
            ((None, 2, 2), [1, 2, 3, 4], [[1, 2], [3, 4]]),
            ((None, 3, 1), [1, 2, 3], [[1], [2], [3]]),
            (None, [1, 2, 3], [1, 2, 3]),
        ],
    )
    def test_a_flat_row_takes_the_shape_of_the_models_rows(
        self, shape: tuple[int | None, ...] | None, values: list[float], expected: Any
    ) -> None:
        version = taking(shape=shape)
        np.testing.assert_array_equal(array(row(*values), version), f32([expected]), strict=True)
        batch = array(frame(row(*values), row(*values)), version)
        np.testing.assert_array_equal(batch, f32([expected] * 2), strict=True)

    @pytest.mark.parametrize(
        ("shape", "values", "expected"),
        [
            ((), [3], 3),
            ((2,), [1, 2], [1, 2]),
            ((None,), [1, 2, 3], [1, 2, 3]),
            ((2, 2), [1, 2, 3, 4], [[1, 2], [3, 4]]),
            (None, [1, 2], [1, 2]),
        ],
    )
    def test_without_a_batch_axis_a_row_is_the_whole_tensor(
        self, shape: tuple[int | None, ...] | None, values: list[float], expected: Any
    ) -> None:
        version = taking(shape=shape, batch=BatchAxis.NONE)
        bound = bind(row(*values), version)
        assert (bound.rows, bound.single) == (1, True)
        np.testing.assert_array_equal(bound.arrays["x"], f32(expected), strict=True)
        assert refusal(frame(row(*values)), version).message == (
            "model 'vk' takes no batches, send a Row"
        )

    def test_a_batch_axis_of_one_takes_many_rows_all_the_same(self) -> None:
        version = taking(shape=(1, 2), batch=BatchAxis.ONE)
        assert bind(frame(row(1, 2), row(3, 4)), version).rows == 2


class TestWhatDoesNotFit:
    def test_an_empty_body_is_a_row_without_values(self) -> None:
        error = refusal(row())
        assert error.message == (
            "value is missing; a DataFrame is announced as "
            "`application/x-protobuf; messageType=tfaaspb.DataFrame`"
        )
        assert error.details == {"field": "value", "model": "vk"}

    @pytest.mark.parametrize(
        ("sent", "message"),
        [
            (row(1), "value has 1 number, model 'vk' takes 2"),
            (row(1, 2, 3), "value has 3 numbers, model 'vk' takes 2"),
            (frame(row(1, 2), row(1)), "row[1].value has 1 number, model 'vk' takes 2"),
            (frame(row(1, 2), row()), "row[1].value is missing"),
            (frame(row()), "row[0].value is missing"),
        ],
    )
    def test_a_wrong_length_tells_both(self, sent: Row | DataFrame, message: str) -> None:
        assert refusal(sent).message == message

    @pytest.mark.parametrize("shape", [(None, None), None])
    def test_rows_of_different_lengths_are_told_apart(
        self, shape: tuple[int | None, ...] | None
    ) -> None:
        error = refusal(frame(row(1, 2), row(3, 4), row(5)), taking(shape=shape))
        assert error.message == "row[2].value has 1 number, row[0].value has 2"
        assert error.details == {
            "field": "row[2].value",
            "model": "vk",
            "expected": 2,
            "got": 1,
        }

    def test_values_of_a_row_of_higher_rank_are_counted(self) -> None:
        message = refusal(row(1, 2, 3), taking(shape=(None, 2, 2))).message
        assert message == "value has 3 numbers, model 'vk' takes 4"

    @pytest.mark.parametrize(
        ("version", "message"),
        [
            (
                model_version([TensorSpec(n, "float32", (None, 1)) for n in "ab"]),
                "takes 2 inputs, a Row holds one",
            ),
            (taking(shape=(None, None, 8)), "takes shape [?, 8], a Row is flat"),
            (taking("string"), "takes strings, a Row holds numbers"),
            (taking("bool"), "takes booleans, a Row holds numbers"),
            (taking("complex64"), "takes [re, im] pairs, a Row holds numbers"),
            (
                giving(TensorSpec("y", "string", (None, 1))),
                "answers strings, Predictions hold numbers",
            ),
            (
                giving(TensorSpec("y", "complex64", (None, 1))),
                "answers [re, im] pairs, Predictions hold numbers",
            ),
        ],
    )
    def test_models_that_rows_cannot_serve_are_sent_elsewhere(
        self, version: ModelVersion, message: str
    ) -> None:
        error = refusal(row(1, 2), version)
        assert error.message == f"model 'vk' {message}; use /json or /msgpack"
        assert error.details == {"model": "vk"}

    @pytest.mark.parametrize(
        ("number", "shown"), [(np.nan, "NaN"), (np.inf, "infinite"), (-np.inf, "infinite")]
    )
    @pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
    def test_nan_and_infinities_are_refused(self, dtype: str, number: float, shown: str) -> None:
        largest = f"{float(np.finfo(dtype).max):.8g}"
        error = refusal(frame(row(1, 2), row(3, number)), taking(dtype))
        assert error.message == (
            f"row[1].value[1] is {shown}, model 'vk' takes numbers from -{largest} to {largest}"
            + (NAN_HINT if shown == "NaN" else "")
        )
        assert error.details["field"] == "row[1].value[1]"
        assert refusal(row(number, 2), taking(dtype)).message.startswith(f"value[0] is {shown}, ")


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


class TestKeys:
    def test_without_features_the_order_sent_is_used(self) -> None:
        assert array(row(1, 2, keys=["b", "a"])).tolist() == [[1, 2]]

    def test_with_features_but_no_keys_the_order_sent_is_used(self) -> None:
        assert array(row(3, 1, 2), VK_3).tolist() == [[3, 1, 2]]

    def test_with_features_each_row_is_put_into_their_order(self) -> None:
        assert array(row(3, 1, 2, keys="cab"), VK_3).tolist() == [[1, 2, 3]]
        sent = frame(
            row(3, 1, 2, keys="cab"),
            row(3, 1, 2, keys="cab"),
            row(1, 2, 3),
            row(1, 2, 3, keys="abc"),
            row(2, 1, 3, keys="bac"),
            row(3, 1, 2, keys="cab"),
        )
        assert array(sent, VK_3).tolist() == [[1, 2, 3]] * 6

    @pytest.mark.parametrize("dtype", ["float64", "int8"])
    def test_rows_of_other_dtypes_are_put_into_order_too(self, dtype: str) -> None:
        version = taking(dtype, shape=(None, 3), features=["a", "b", "c"])
        assert array(row(3, 1, 2, keys="cab"), version).tolist() == [[1, 2, 3]]

    def test_keys_say_nothing_of_a_row_of_higher_rank(self) -> None:
        version = taking(shape=(None, 2, 1), features=["a", "b"])
        assert array(row(2, 1, keys="ba"), version).tolist() == [[[2], [1]]]
        assert array(row(2, 1, keys="q"), version).tolist() == [[[2], [1]]]

    def test_features_order_a_whole_tensor_of_one_axis_too(self) -> None:
        version = taking(shape=(2,), batch=BatchAxis.NONE, features=["a", "b"])
        assert array(row(2, 1, keys="ba"), version).tolist() == [1, 2]

    @pytest.mark.parametrize(
        ("sent", "fault", "field"),
        [
            (row(1, 2, 3, keys="abd"), "key 'c' is missing", "key"),
            (row(1, 2, 3, keys="aba"), "key 'a' is sent twice", "key"),
            (
                frame(row(1, 2, 3), row(1, 2, 3, keys="abcd")),
                "key 'd' is unknown in row[1].key",
                "row[1].key",
            ),
        ],
    )
    def test_with_features_a_wrong_key_is_named(
        self, sent: Row | DataFrame, fault: str, field: str
    ) -> None:
        error = refusal(sent, VK_3)
        assert error.message == f"{fault}, model 'vk' takes each of its features once"
        assert error.details["field"] == field
        assert error.details["expected"] == ["a", "b", "c"]

    def test_keys_are_as_many_as_columns(self) -> None:
        assert refusal(row(1, 2, keys="a")).message == "key names 1 columns, value has 2"
        error = refusal(frame(row(1, 2), row(1, 2, keys="abc")))
        assert error.message == "row[1].key names 3 columns, row[1].value has 2"

    def test_faults_are_named_where_they_were_sent(self) -> None:
        error = refusal(row(np.nan, 1, 2, keys="cab"), VK_3)
        assert error.details["field"] == "value[0]"


class TestNoRows:
    @pytest.mark.parametrize(
        ("shape", "empty"),
        [((None, 2), (0, 2)), ((None,), (0,)), ((None, 2, 3), (0, 2, 3)), ((None, None), (0, 1))],
    )
    def test_a_data_frame_may_have_none(
        self, shape: tuple[int | None, ...], empty: tuple[int, ...]
    ) -> None:
        bound = bind(frame(), taking("int8", shape))
        assert (bound.rows, bound.single, bound.whole) == (0, False, True)
        np.testing.assert_array_equal(bound.arrays["x"], np.zeros(empty, np.int8), strict=True)

    def test_a_model_without_a_batch_axis_takes_no_batch_of_any_size(self) -> None:
        message = refusal(frame(), taking(shape=(None,), batch=BatchAxis.NONE)).message
        assert message == "model 'vk' takes no batches, send a Row"


class TestNan:
    @pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
    def test_it_is_taken_where_it_is_accepted(self, dtype: str) -> None:
        got = array(row(np.nan, 1), taking(dtype, nan="accept"))
        np.testing.assert_array_equal(got, np.array([[np.nan, 1]], dtype), strict=True)

    def test_but_no_infinity_and_no_integer(self) -> None:
        assert "value[1] is infinite" in refusal(row(np.nan, np.inf), taking(nan="accept")).message
        assert "value[0] is NaN" in refusal(row(np.nan, 1), taking("int8", nan="accept")).message


def test_a_row_is_for_the_one_input_that_has_no_default() -> None:
    specs = [TensorSpec("k", "bool", (), default=True), TensorSpec("x", "float32", (None, 2))]
    bound = bind_alone(row(1, 2), model_version(specs))
    assert bound.arrays["x"].tolist() == [[1, 2]]
    assert list(bound.arrays) == ["x"]


def bind_alone(sent: Row, version: ModelVersion) -> Bound:
    codec = ProtobufCodec()
    return codec.bind(codec.parse(sent.SerializeToString(), Head.of_type(ROW)), version)
