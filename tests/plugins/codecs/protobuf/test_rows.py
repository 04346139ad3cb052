"""Rows by protobuf: batches, dtypes, keys, and what does not fit."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from tfaas_plugins.codecs.protobuf.codec import ProtobufCodec
from tfaas_plugins.codecs.protobuf.tfaas_pb2 import DataFrame, Row

from tests.plugins.codecs.protobuf.requests import ROW, array, bind, frame, refusal, row
from tests.plugins.codecs.versions import VK, f32, giving, taking
from tfaas_core.models.model import ModelVersion
from tfaas_core.route import Head
from tfaas_core.tensors import BatchAxis, Bound, TensorSpec
from tfaas_core.testing.models import model_version
from tfaas_core.values.numbers import NAN_HINT


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
        assert error.message == f"model 'vk' {message}; send JSON or MessagePack instead"
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


def test_a_row_is_for_the_one_input_that_has_no_default() -> None:
    specs = [TensorSpec("k", "bool", (), default=True), TensorSpec("x", "float32", (None, 2))]
    bound = bind_alone(row(1, 2), model_version(specs))
    assert bound.arrays["x"].tolist() == [[1, 2]]
    assert list(bound.arrays) == ["x"]


def bind_alone(sent: Row, version: ModelVersion) -> Bound:
    codec = ProtobufCodec()
    return codec.bind(codec.parse(sent.SerializeToString(), Head.of_type(ROW)), version)
