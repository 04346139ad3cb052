"""Restoring and initialising read files: the model's own, and no others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tfaas_backends.runtimes.tensorflow.quiet import tf

from tests.backends.runtimes.saved_model.saved_models import (
    add_node,
    edit,
    function,
    load,
    save,
    save_v1,
    v1,
)
from tfaas_core.errors import CannotServe

SECRET = b"top secret"
CHECKPOINT = "variables/variables"


@pytest.fixture
def secret(tmp_path: Path) -> str:
    """A file of the server's."""
    file = tmp_path / "secret.txt"
    file.write_bytes(SECRET)
    return str(file)


def weighted(folder: Path, weight: float) -> Path:
    """Of TensorFlow 1: its graph shows how it is restored."""

    def build() -> Any:
        x = v1.placeholder(tf.float32, [None])
        return {"x": x}, {"y": x * v1.get_variable("w", initializer=float(weight))}

    return save_v1(folder, build)


def constant(meta_graph: Any, name: str, value: Any) -> None:
    node = add_node(meta_graph, name, "Const")
    tensor = tf.make_tensor_proto(value)
    node.attr["dtype"].type = tensor.dtype
    node.attr["value"].tensor.CopyFrom(tensor)


def test_another_model_s_variables_are_not_restored(tmp_path: Path) -> None:
    other = weighted(tmp_path / "other", 7)

    def read_other(meta_graph: Any) -> None:
        constant(meta_graph, "elsewhere", str(other / CHECKPOINT))
        for node in meta_graph.graph_def.node:
            if node.op == "RestoreV2":
                node.input[0] = "elsewhere"

    own = edit(weighted(tmp_path / "own", 2), read_other)
    assert load(own).run([np.ones(1, np.float32)])[0] == [2]


def test_savers_that_training_left_behind_are_let_through(tmp_path: Path) -> None:
    def build() -> Any:
        x = v1.placeholder(tf.float32, [None])
        y = x * v1.get_variable("w", initializer=2.0)
        v1.train.Saver()
        v1.train.Saver(sharded=True)
        return {"x": x}, {"y": y}

    def count(meta_graph: Any) -> None:
        assert sum(node.op == "SaveV2" for node in meta_graph.graph_def.node) == 3

    folder = edit(save_v1(tmp_path / "model", build), count)
    assert load(folder).run([np.ones(1, np.float32)])[0] == [2]


def through_a_sum(meta_graph: Any) -> None:
    """Makes restoring so unusual that the graph's own way has to be taken."""
    for node in meta_graph.graph_def.node:
        if node.op == "AssignVariableOp" and node.name.startswith("save/"):
            add = add_node(meta_graph, "sum", "AddV2", [node.input[1], node.input[1]])
            add.attr["T"].type = tf.float32.as_datatype_enum
            node.input[1] = "sum"


def test_a_graph_s_own_way_of_restoring_is_taken(tmp_path: Path) -> None:
    folder = edit(weighted(tmp_path / "own", 2), through_a_sum)
    assert load(folder).run([np.ones(1, np.float32)])[0] == [4]


@pytest.mark.parametrize("hidden", [False, True])
def test_a_graph_s_own_way_of_restoring_must_not_lead_elsewhere(
    tmp_path: Path, hidden: bool
) -> None:
    other = weighted(tmp_path / "other", 7)

    def read_other(meta_graph: Any) -> None:
        through_a_sum(meta_graph)
        constant(meta_graph, "elsewhere", str(other / CHECKPOINT))
        passing = add_node(meta_graph, "passing", "Identity", ["elsewhere"])
        passing.attr["T"].type = tf.string.as_datatype_enum
        for node in meta_graph.graph_def.node:
            if node.op == "RestoreV2":
                node.input[0] = "passing" if hidden else "elsewhere"

    folder = edit(weighted(tmp_path / "own", 2), read_other)
    with pytest.raises(CannotServe, match="'RestoreV2', which reaches for files"):
        load(folder)


def test_a_client_does_not_choose_what_is_restored(tmp_path: Path) -> None:
    def answer_the_restored(meta_graph: Any) -> None:
        signature = meta_graph.signature_def["serving_default"]
        file = meta_graph.saver_def.filename_tensor_name
        signature.inputs["x"].name = file
        signature.outputs["y"].name = "save/RestoreV2:0"

    folder = edit(weighted(tmp_path / "own", 2), answer_the_restored)
    with pytest.raises(CannotServe, match="'RestoreV2', which reaches for files"):
        load(folder)


def looking_up(folder: Path, file: str) -> Path:
    module = tf.Module()
    initializer = tf.lookup.TextFileInitializer(
        file,
        tf.int64,
        tf.lookup.TextFileIndex.LINE_NUMBER,
        tf.string,
        tf.lookup.TextFileIndex.WHOLE_LINE,
    )
    module.lines = tf.lookup.StaticHashTable(initializer, "")
    return save(folder, function(lambda x: {"y": module.lines.lookup(x)}, x=tf.int64), module)


def test_a_table_is_filled_from_the_model_s_own_file(tmp_path: Path, secret: str) -> None:
    folder = looking_up(tmp_path / "model", secret)
    assert load(folder).run([np.zeros(1, np.int64)])[0] == [SECRET]


def set_again(meta_graph: Any, elsewhere: str) -> Any:
    """Sets the variable with the file's path once more, by another handle, before it is read."""
    constant(meta_graph, "elsewhere", elsewhere)
    nodes = {node.name: node for node in meta_graph.graph_def.node}
    (read,) = (n for n in nodes.values() if n.op == "ReadVariableOp" and "^" in str(n.input))
    variable = nodes[read.input[0]]
    handle = add_node(meta_graph, "handle", "VarHandleOp")
    handle.attr.MergeFrom(variable.attr)
    again = add_node(meta_graph, "again", "AssignVariableOp", ["handle", "elsewhere"])
    again.attr["dtype"].type = tf.string.as_datatype_enum
    again.input.append(f"^{variable.name}/Assign")
    read.input.append("^again")
    return read


def test_a_table_is_filled_from_no_other_file(tmp_path: Path, secret: str) -> None:
    (tmp_path / "own.txt").write_bytes(b"mine")
    folder = looking_up(tmp_path / "model", str(tmp_path / "own.txt"))
    edit(folder, lambda meta_graph: set_again(meta_graph, secret))
    assert load(folder).run([np.zeros(1, np.int64)])[0] == [b"mine"]


@pytest.mark.parametrize("source", ["handle", "elsewhere"])
def test_a_table_that_asks_for_another_file_is_refused(
    tmp_path: Path, secret: str, source: str
) -> None:
    def ask(meta_graph: Any) -> None:
        read = set_again(meta_graph, secret)
        if source == "handle":
            read.input[0] = source
        else:
            (call,) = (n for n in meta_graph.graph_def.node if read.name in n.input)
            call.input[0] = source

    (tmp_path / "own.txt").write_bytes(b"mine")
    folder = edit(looking_up(tmp_path / "model", str(tmp_path / "own.txt")), ask)
    with pytest.raises(CannotServe, match="TextFileV2', which reaches for files of the server"):
        load(folder)
