"""Answers by protobuf."""

from __future__ import annotations

import numpy as np
import pytest
from tfaas_plugins.codecs.protobuf.codec import ProtobufCodec
from tfaas_plugins.codecs.protobuf.tfaas_pb2 import Predictions

from tests.plugins.codecs.protobuf.requests import ROW, answer, row
from tests.plugins.codecs.versions import f32, giving
from tfaas_core.route import Head
from tfaas_core.tensors import BatchAxis, Bound, TensorSpec


def spec(
    shape: tuple[int | None, ...] | None, dtype: str = "float32", name: str = "y"
) -> TensorSpec:
    return TensorSpec(name, dtype, shape)


class TestPredictions:
    def test_a_row_is_answered_by_a_class_for_each_value(self) -> None:
        got = answer(giving(spec((None, 3))), 1, f32([[0.25, 0, -0.0]]))
        assert got == [("", 0.25), ("", 0), ("", 0)]

    def test_classes_have_the_models_labels_in_order(self) -> None:
        version = giving(spec((None, 3)), labels=["higgs", "café", "x" * 300])
        got = answer(version, 1, f32([[0.5, 0.25, 0]]))
        assert got == [("higgs", 0.5), ("café", 0.25), ("x" * 300, 0)]

    def test_a_batch_is_answered_row_after_row(self) -> None:
        version = giving(spec((None, 2)), labels=["a", "b"])
        got = answer(version, 3, f32([[1, 2], [3, 4], [5, 6]]))
        assert got == [("a", 1), ("b", 2), ("a", 3), ("b", 4), ("a", 5), ("b", 6)]

    @pytest.mark.parametrize(
        ("labels", "expected"), [(["a"], ["a", "", ""]), (["a", "b", "c", "d"], ["a", "b", "c"])]
    )
    def test_labels_go_as_far_as_they_go(self, labels: list[str], expected: list[str]) -> None:
        got = answer(giving(spec((None, 3)), labels=labels), 1, f32([[1, 2, 3]]))
        assert [label for label, _ in got] == expected

    def test_several_outputs_follow_each_other_in_each_row(self) -> None:
        version = giving(
            spec((None, 3), name="c"), spec((None, 2), name="b"), spec((None,), name="a"),
            labels=["p", "q"],
        )  # fmt: skip
        got = answer(version, 2, f32([[1, 2, 3]] * 2), f32([[4, 5]] * 2), f32([6, 7]))
        first = [("", 1), ("", 2), ("", 3), ("p", 4), ("q", 5), ("", 6)]
        assert got == [*first, *first[:-1], ("", 7)]

    def test_outputs_of_higher_rank_are_flat_in_c_order(self) -> None:
        values = np.asfortranarray(f32([[[1, 2], [3, 4]], [[5, 6], [7, 8]]]))
        got = answer(giving(spec((None, 2, 2))), 2, values)
        assert [number for _, number in got] == [1, 2, 3, 4, 5, 6, 7, 8]
        whole = answer(giving(spec((2, 2)), batch=BatchAxis.NONE), 1, values[0])
        assert [number for _, number in whole] == [1, 2, 3, 4]
        assert answer(giving(spec(()), batch=BatchAxis.NONE), 1, f32(3)) == [("", 3)]

    def test_all_rows_are_answered_however_many_they_are(self) -> None:
        version = giving(spec((None, 2)), labels=["a", "b"])
        row = [("a", 1), ("b", 2)]
        for sent in (1, 2):
            for rows in (0, 1, 2, 3):
                assert answer(version, sent, f32([[1, 2]] * rows or np.zeros((0, 2)))) == row * rows

    def test_outputs_of_different_numbers_of_rows_follow_each_other(self) -> None:
        version = giving(spec((None, 2)), spec((None,), name="z"), labels=["a", "b"])
        got = answer(version, 1, f32([[1, 2], [3, 4]]), f32([5, 6, 7]))
        assert got == [("a", 1), ("b", 2), ("a", 3), ("b", 4), ("", 5), ("", 6), ("", 7)]
        assert answer(version, 2, f32(np.zeros((0, 2))), f32([7])) == [("", 7)]

    def test_constant_outputs_come_once_at_the_end(self) -> None:
        version = giving(
            TensorSpec("table", "int8", (2, 2), constant=True), spec((None, 2)), labels=["a", "b"]
        )
        table = np.array([[7, 8], [9, 10]], np.int8)
        last = [("", 7), ("", 8), ("", 9), ("", 10)]
        assert answer(version, 1, table, f32([[1, 2]])) == [("a", 1), ("b", 2), *last]
        two = answer(version, 2, table, f32([[1, 2], [3, 4]]))
        assert two == [("a", 1), ("b", 2), ("a", 3), ("b", 4), *last]

    def test_outputs_of_no_elements_have_no_classes(self) -> None:
        assert answer(giving(spec((None, 0))), 2, f32(np.zeros((2, 0)))) == []

    def test_one_version_answers_rows_of_any_length(self) -> None:
        version = giving(spec((None, None)), labels=["a", "b"])
        codec = ProtobufCodec()
        document = codec.parse(row(1, 2).SerializeToString(), Head.of_type(ROW))
        for count in (2, 5, 0, 2):
            values = f32([np.arange(1, count + 1)])
            body = codec.encode({"y": values}, Bound({}, 1, True), document, version).body
            got = Predictions.FromString(body).prediction
            assert [each.probability for each in got] == values[0].tolist()

    @pytest.mark.parametrize("dtype", ["float16", "float64", "int64", "uint8", "bool"])
    def test_numbers_of_every_dtype_become_float32(self, dtype: str) -> None:
        got = answer(giving(spec((None, 2), dtype)), 1, np.array([[1, 0]], dtype))
        assert got == [("", 1), ("", 0)]

    def test_nan_infinities_and_numbers_too_large_are_answered(self) -> None:
        version = giving(spec((None, 4), "float64"))
        values = np.array([[np.nan, np.inf, 1e300, -1e300]])
        nan, *others = [number for _, number in answer(version, 1, values)]
        assert np.isnan(nan)
        assert others == [np.inf, np.inf, -np.inf]

    def test_a_signalling_nan_is_answered_as_any_nan(self) -> None:
        values = np.array([[0x7FF0_0000_0000_0001]], np.uint64).view(np.float64)
        ((_label, number),) = answer(giving(spec((None, 1), "float64")), 1, values)
        assert np.isnan(number)
