"""Params of the time of TensorFlow 2, which name inputs and outputs in two ways."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tfaas_backends.runtimes.graph.runtime import GraphRuntime
from tfaas_backends.runtimes.saved_model.runtime import SavedModelRuntime
from tfaas_backends.runtimes.tensorflow.quiet import tf

from tests.backends.runtimes.saved_model.saved_models import save_v1, v1
from tfaas_core.errors import CannotServe
from tfaas_core.models.params import Params
from tfaas_core.runtime import LoadOptions, Runtime

Ends = tuple[list[str], list[str]]
Load = Callable[[dict[str, Any]], Ends]


def network() -> Any:
    """Nodes ``first``, ``second`` and ``sum``, ``difference``; the signature calls them a, b, c."""
    first = v1.placeholder(tf.float32, [None, 2], "first")
    second = v1.placeholder(tf.float32, [None, 2], "second")
    total = tf.add(first, second, "sum")
    tf.subtract(first, second, "difference")
    return {"a": first, "b": second}, {"c": total}


def loader(runtime: Runtime, artifact: Path) -> Load:
    def load(document: dict[str, Any]) -> Ends:
        params = Params.parse(json.dumps(document).encode())
        servable = runtime.load(artifact, params, LoadOptions(threads=1))
        servable.close()
        signature = servable.signature
        return [s.name for s in signature.inputs], [s.name for s in signature.outputs]

    return load


@pytest.fixture(scope="module")
def saved_model(tmp_path_factory: pytest.TempPathFactory) -> Load:
    folder = save_v1(tmp_path_factory.mktemp("saved") / "model", network)
    return loader(SavedModelRuntime(), folder)


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Load:
    file = tmp_path_factory.mktemp("graph") / "model.pb"
    with tf.Graph().as_default() as built:
        network()
    file.write_bytes(built.as_graph_def().SerializeToString())
    return loader(GraphRuntime(), file)


NODES = {"input_node": ["first", "second"], "output_node": "difference"}
NAMES = {"input_name": ["b", "a"], "output_name": "c"}


@pytest.mark.parametrize("document", [NODES | NAMES, NAMES | NODES])
def test_of_a_saved_model_the_names_count(saved_model: Load, document: dict[str, Any]) -> None:
    assert saved_model(document) == (["b", "a"], ["c"])


@pytest.mark.parametrize("end", ["", ":0"])
def test_a_saved_model_falls_back_to_nodes_that_are_there(saved_model: Load, end: str) -> None:
    stale = {"input_name": ["a", f"dense_input{end}"], "output_name": f"dense{end}"}
    nodes = {"inputNode": [f"second{end}", f"first{end}"], "outputNode": f"difference{end}"}
    assert saved_model(nodes | stale) == (["b", "a"], ["difference"])


@pytest.mark.parametrize("nodes", [{"input_node": "no", "output_node": "none"}, {}])
def test_of_a_saved_model_nodes_that_are_not_there_do_not_matter(
    saved_model: Load, nodes: dict[str, Any]
) -> None:
    assert saved_model(NAMES | nodes) == (["b", "a"], ["c"])


def test_each_side_falls_back_by_itself(saved_model: Load, graph: Load) -> None:
    document = {
        **{"input_node": ["second", "first"], "input_name": ["no", "none"]},
        **{"output_node": "none", "output_name": "sum:0"},
    }
    assert saved_model(document) == (["b", "a"], ["c"])
    assert graph(document) == (["second", "first"], ["sum"])


@pytest.mark.parametrize("side", ["input_name", "output_name", "input_node", "output_node"])
def test_one_of_the_pairs_is_enough(saved_model: Load, side: str) -> None:
    given = {"input_name": ["b", "a"], "output_name": "c"}
    given |= {"input_node": ["second", "first"], "output_node": "sum"}
    inputs = ["b", "a"] if side.startswith("in") else ["a", "b"]
    assert saved_model({side: given[side]}) == (inputs, ["c"])


def test_of_a_graph_the_nodes_count(graph: Load) -> None:
    names = {"input_name": ["second", "first"], "output_name": "sum"}
    for document in (NODES | names, names | NODES):
        assert graph(document) == (["first", "second"], ["difference"])


@pytest.mark.parametrize("end", ["", ":0"])
def test_a_graph_falls_back_to_names_that_are_there(graph: Load, end: str) -> None:
    stale = {"input_node": ["first", f"dense{end}"], "output_node": f"out{end}"}
    names = {"input_name": [f"second{end}", f"first{end}"], "output_name": f"sum{end}"}
    assert graph(stale | names) == (["second", "first"], ["sum"])


def test_where_neither_is_there_the_message_names_the_one_that_counts(
    saved_model: Load, graph: Load
) -> None:
    document = {"input_node": "some_node", "input_name": "some_name"}
    with pytest.raises(CannotServe, match=r"params\.inputNode names 'some_name'"):
        saved_model(document)
    with pytest.raises(CannotServe, match=r"params\.inputNode names 'some_node'"):
        graph(document)
