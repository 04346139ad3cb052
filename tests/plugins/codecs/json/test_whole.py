"""JSON: batches without rows, first axes that differ, and answers of other numbers of rows."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from tfaas_plugins.codecs.json.codec import JsonCodec

from tests.plugins.codecs.json.requests import array, bind, refusal
from tests.plugins.codecs.versions import TWO_INPUTS, VK_3, f32, giving, taking
from tfaas_core.models.model import ModelVersion
from tfaas_core.route import Head
from tfaas_core.tensors import Array, BatchAxis, TensorSpec
from tfaas_core.testing.models import model_version

NODES = TensorSpec("nodes", "float32", (None, 2))
EDGES = TensorSpec("edges", "int32", (None, 2))
GRAPH = model_version([NODES, EDGES], batch=BatchAxis.NONE)

Shape = tuple[int | None, ...] | None


def inputs(**values: Any) -> dict[str, Any]:
    return {"inputs": values}


class TestNoRows:
    @pytest.mark.parametrize("dtype", ["float32", "int8", "bool", "string", "complex64"])
    @pytest.mark.parametrize(
        ("shape", "empty"),
        [
            ((None, 2), (0, 2)),
            ((None,), (0,)),
            ((None, 2, 3), (0, 2, 3)),
            ((None, None, 3), (0, 1, 3)),
            ((None, None, None, 3), (0, 1, 1, 3)),
        ],
    )
    def test_an_empty_list_is_a_batch_without_rows(
        self, shape: Shape, empty: tuple[int, ...], dtype: str
    ) -> None:
        sent: list[dict[str, Any]] = [{"values": []}, inputs(x=[])]
        for body in sent:
            bound = bind(body, taking(dtype, shape))
            assert (bound.rows, bound.single, bound.whole) == (0, False, True)
            assert bound.arrays["x"].shape == empty

    @pytest.mark.parametrize("shape", [(None, None), None])
    def test_where_a_row_may_be_empty_an_empty_list_is_one_row(self, shape: Shape) -> None:
        bound = bind({"values": []}, taking(shape=shape))
        assert (bound.rows, bound.single, bound.whole) == (1, True, False)
        assert bound.arrays["x"].shape == (1, 0)

    @pytest.mark.parametrize(
        ("values", "shape", "single"),
        [([[]], (1, 0, 3), False), ([[], []], (2, 0, 3), False), ([[[]]], None, False)],
    )
    def test_rows_without_elements_are_a_batch(
        self, values: Any, shape: Shape, single: bool
    ) -> None:
        version = taking(shape=(None, None, 3))
        if shape is None:
            assert refusal({"values": values}, version).details["field"] == "values[0][0]"
        else:
            bound = bind({"values": values}, version)
            assert (bound.arrays["x"].shape, bound.single) == (shape, single)
            assert bound.rows == len(values)

    def test_a_row_without_elements_is_nested_as_deep_as_it_can_be(self) -> None:
        bound = bind({"values": [[], []]}, taking(shape=(None, 2, None, 3)))
        assert (bound.arrays["x"].shape, bound.single) == ((1, 2, 0, 3), True)

    def test_keys_are_checked_all_the_same(self) -> None:
        assert bind({"values": [], "keys": ["c", "a", "b"]}, VK_3).rows == 0
        assert "'c' is missing" in refusal({"values": [], "keys": ["a", "b", "q"]}, VK_3).message

    def test_all_inputs_are_without_rows(self) -> None:
        bound = bind(inputs(x=[], y=[]), TWO_INPUTS)
        assert (bound.rows, bound.single, bound.whole) == (0, False, True)
        assert [a.shape for a in bound.arrays.values()] == [(0, 2), (0, 1)]

    def test_no_values_at_all_are_no_rows_though_one_input_takes_rows_of_any_length(self) -> None:
        specs = [TensorSpec("x", "int8", (None, None)), TensorSpec("y", "float32", (None, 2))]
        bound = bind(inputs(x=[], y=[]), model_version(specs))
        assert (bound.rows, bound.whole) == (0, True)
        assert [a.shape for a in bound.arrays.values()] == [(0, 1), (0, 2)]

    @pytest.mark.parametrize(
        ("shape", "empty"), [((None, 2), (0, 2)), ((None,), (0,)), ((None, None), (0, 1))]
    )
    def test_a_whole_tensor_may_be_empty_where_its_first_size_is_free(
        self, shape: Shape, empty: tuple[int, ...]
    ) -> None:
        got = array({"values": []}, taking(shape=shape, batch=BatchAxis.NONE))
        assert got.shape == empty

    @pytest.mark.parametrize("shape", [(3, 2), (2,), (1, None)])
    def test_a_whole_tensor_of_known_size_may_not_be_empty(self, shape: Shape) -> None:
        version = taking(shape=shape, batch=BatchAxis.NONE)
        assert refusal({"values": []}, version).details["field"] == "values"

    def test_an_event_without_edges_is_a_graph(self) -> None:
        bound = bind(inputs(nodes=[[1, 2]], edges=[]), GRAPH)
        assert bound.arrays["edges"].shape == (0, 2)


class TestFirstAxesThatDiffer:
    def test_one_query_and_many_items_are_for_the_model_to_judge(self) -> None:
        for x, y in ([[1, 2]], [[3], [4], [5]]), ([[1, 2]] * 3, [[3]]):
            bound = bind(inputs(x=x, y=y), TWO_INPUTS)
            assert (bound.rows, bound.single, bound.whole) == (3, False, True)
            assert [len(a) for a in bound.arrays.values()] == [len(x), len(y)]

    def test_batches_of_as_many_rows_may_share_a_run(self) -> None:
        assert not bind(inputs(x=[[1, 2]] * 3, y=[[3]] * 3), TWO_INPUTS).whole

    @pytest.mark.parametrize("batch", [BatchAxis.FREE, BatchAxis.ONE])
    def test_other_differences_are_refused(self, batch: BatchAxis) -> None:
        specs = [TensorSpec("x", "float32", (None, 2)), TensorSpec("y", "float32", (None, 1))]
        version = model_version(specs, batch=batch)
        for x, y in (([[1, 2]] * 2, [[1]] * 3), ([], [[1], [2]])):
            message = refusal(inputs(x=x, y=y), version).message
            assert 'say "batch": {"axis": "none"} in the params' in message

    def test_rows_that_are_run_one_by_one_are_as_many_for_each_input(self) -> None:
        specs = [TensorSpec("x", "float32", (1, 2)), TensorSpec("y", "float32", (1, 1))]
        version = model_version(specs, batch=BatchAxis.ONE)
        assert refusal(inputs(x=[[1, 2]], y=[[1], [2]]), version).details["field"] == "inputs.y"

    def test_a_row_beside_a_batch_is_refused(self) -> None:
        message = refusal(inputs(x=[1, 2], y=[[1], [2]]), TWO_INPUTS).message
        assert message.endswith("a batch of one row is nested one deeper than the row")

    def test_whole_tensors_have_first_axes_of_their_own(self) -> None:
        bound = bind(inputs(nodes=[[1, 0], [0, 1], [2, 2]], edges=[[0, 1], [1, 2]]), GRAPH)
        assert (bound.rows, bound.whole) == (1, False)
        assert [len(a) for a in bound.arrays.values()] == [3, 2]


class TestOneRowOfWholeTensors:
    def test_values_nested_one_less_deep_are_one_row(self) -> None:
        bound = bind(inputs(nodes=[1, 0], edges=[0, 0]), GRAPH)
        assert (bound.rows, bound.single, bound.whole) == (1, True, True)
        assert bound.arrays["nodes"].tolist() == [[1, 0]]
        assert bound.arrays["edges"].tolist() == [[0, 0]]
        assert bound.arrays["edges"].dtype == np.int32

    def test_it_is_answered_in_kind(self) -> None:
        outputs = [TensorSpec("y", "float32", (None, 2)), TensorSpec("z", "float32", (None,))]
        version = model_version([NODES, EDGES], outputs, batch=BatchAxis.NONE)
        row = inputs(nodes=[1, 0], edges=[0, 0])
        assert answered(version, row, f32([[1, 2]]), f32([3])) == {"y": [1, 2], "z": [3]}
        several = {"y": [[1, 2], [3, 4]], "z": [5, 6]}
        assert answered(version, row, *map(f32, several.values())) == several
        whole = inputs(nodes=[[1, 0]], edges=[[0, 0]])
        assert answered(version, whole, f32([[1, 2]]), f32([3])) == {"y": [[1, 2]], "z": [3]}

    def test_an_axis_of_one_takes_a_row_too(self) -> None:
        specs = [NODES, TensorSpec("edges", "float32", (1, 2))]
        version = model_version(specs, batch=BatchAxis.NONE)
        bound = bind(inputs(nodes=[1, 0], edges=[0, 0]), version)
        assert [a.shape for a in bound.arrays.values()] == [(1, 2), (1, 2)]

    @pytest.mark.parametrize("other", [(2, 2), (), None])
    def test_a_tensor_that_cannot_be_one_row_keeps_all_whole(self, other: Shape) -> None:
        specs = [NODES, TensorSpec("edges", "float32", other)]
        version = model_version(specs, batch=BatchAxis.NONE)
        refusal(inputs(nodes=[1, 0], edges=[1, 2]), version)

    def test_rows_beside_whole_tensors_are_refused(self) -> None:
        error = refusal(inputs(nodes=[1, 0], edges=[[0, 0]]), GRAPH)
        assert error.message.startswith("inputs.nodes is nested 1 deep, model 'vk' takes numbers")

    def test_what_is_wrong_in_a_row_is_told_of_whole_tensors(self) -> None:
        refusal(inputs(nodes=[1, 0], edges=[0, 0.5]), GRAPH)
        refusal(inputs(nodes=[1, 0]), GRAPH)

    def test_a_model_of_one_input_takes_it_whole(self) -> None:
        version = taking(shape=(None, 2), batch=BatchAxis.NONE)
        refusal({"values": [1, 2]}, version)


def answered(version: ModelVersion, body: dict[str, Any], *outputs: Array) -> Any:
    """What a request gets if the model answers these outputs."""
    codec = JsonCodec()
    document = codec.parse(json.dumps(body).encode(), Head())
    bound = codec.bind(document, version)
    named = {s.name: o for s, o in zip(version.signature.outputs, outputs, strict=True)}
    return json.loads(codec.encode(named, bound, document, version).body)


ROW = {"values": [1, 2]}
BATCH = {"values": [[1, 2], [3, 4]]}


def found(dtype: str = "float32") -> ModelVersion:
    return giving(TensorSpec("found", dtype, (None, 2)))


class TestWholeAnswers:
    @pytest.mark.parametrize("dtype", ["float32", "float16", "int8", "complex64", "string", "bool"])
    def test_nothing_found_is_an_empty_list(self, dtype: str) -> None:
        nothing = np.zeros((0, 2), object if dtype == "string" else dtype)
        sent: list[dict[str, Any]] = [ROW, BATCH, {"values": []}]
        for body in sent:
            assert answered(found(dtype), body, nothing) == []

    def test_a_row_that_has_several_answers_gets_them_all(self) -> None:
        assert answered(found(), ROW, f32([[1, 2], [3, 4]])) == [[1, 2], [3, 4]]
        assert answered(found(), ROW, f32([[1, 2]])) == [1, 2]

    def test_a_batch_gets_as_many_as_there_are(self) -> None:
        for rows in (1, 2, 3):
            assert answered(found(), BATCH, f32([[1, 2]] * rows)) == [[1, 2]] * rows

    def test_one_number_a_row_stays_a_list(self) -> None:
        version = giving(TensorSpec("y", "float32", (None,)))
        assert answered(version, ROW, f32([7])) == [7]
        assert answered(version, ROW, f32([7, 8])) == [7, 8]
        assert answered(version, ROW, f32([])) == []
        assert answered(version, BATCH, f32([7, 8, 9])) == [[7], [8], [9]]
        assert answered(version, BATCH, f32([])) == []

    def test_a_number_for_all_of_a_batch_is_a_list_of_one(self) -> None:
        version = giving(TensorSpec("y", "float32", None))
        assert answered(version, BATCH, f32(7)) == [7]
        assert answered(version, ROW, f32(7)) == [7]

    def test_several_outputs_may_have_different_numbers_of_rows(self) -> None:
        version = giving(TensorSpec("a", "float32", (None, 1)), TensorSpec("b", "int8", (None, 2)))
        some, none = f32([[1]]), np.zeros((0, 2), np.int8)
        assert answered(version, ROW, some, none) == {"a": [1], "b": []}
        assert answered(version, BATCH, some, none) == {"a": [[1]], "b": []}


class TestConstantOutputs:
    def test_they_are_answered_once_as_they_are(self) -> None:
        version = giving(
            TensorSpec("y", "float32", (None, 1)),
            TensorSpec("table", "int8", (1, 2), constant=True),
            TensorSpec("version", "string", (), constant=True),
        )
        constants = np.array([[5, 6]], np.int8), np.array(b"1.2", object)
        shown = {"table": [[5, 6]], "version": ["1.2"]}
        assert answered(version, ROW, f32([[1]]), *constants) == {"y": [1], **shown}
        assert answered(version, BATCH, f32([[1], [2]]), *constants) == {"y": [[1], [2]], **shown}
        assert answered(version, {"values": []}, f32([]), *constants) == {"y": [], **shown}

    def test_one_that_is_alone_has_no_name(self) -> None:
        version = giving(TensorSpec("table", "float32", (3,), constant=True))
        for body in (ROW, BATCH):
            assert answered(version, body, f32([1, 2, 3])) == [1, 2, 3]
