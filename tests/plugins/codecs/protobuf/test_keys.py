"""Rows by protobuf whose columns have names."""

from __future__ import annotations

import numpy as np
import pytest
from tfaas_plugins.codecs.protobuf.tfaas_pb2 import DataFrame, Row

from tests.plugins.codecs.protobuf.requests import array, frame, refusal, row
from tests.plugins.codecs.versions import VK_3, taking
from tfaas_core.tensors import BatchAxis


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
        assert refusal(row(1, 2, keys="a")).message == "key names 1 column, value has 2"
        error = refusal(frame(row(1, 2), row(1, 2, keys="abc")))
        assert error.message == "row[1].key names 3 columns, row[1].value has 2"

    def test_faults_are_named_where_they_were_sent(self) -> None:
        error = refusal(row(np.nan, 1, 2, keys="cab"), VK_3)
        assert error.details["field"] == "value[0]"
