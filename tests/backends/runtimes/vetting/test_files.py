"""Models that reach for files, or for what only their makers have, as TensorFlow writes them."""

from __future__ import annotations

from collections.abc import Callable
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
from tfaas_core.runtime import Servable

Serve = Callable[..., Servable]

SECRET = b"top secret"
CHECKPOINT = "variables/variables"


@pytest.fixture
def secret(tmp_path: Path) -> str:
    """A file of the server's."""
    file = tmp_path / "secret.txt"
    file.write_bytes(SECRET)
    return str(file)


def wrapped(body: Callable[[Any], Any], outer: str) -> Callable[[Any], Any]:
    """``body``, called by the graph itself, by a function of it, or in a loop or branch."""
    inner = tf.function(body, autograph=False)
    bodies: dict[str, Callable[[Any], Any]] = {
        "graph": body,
        "function": tf.function(lambda x: inner(x), autograph=False),
        "loop": lambda x: tf.while_loop(lambda y: y[0] == "", lambda y: (inner(y),), (x,))[0],
        "branch": lambda x: tf.cond(tf.size(x) > 0, lambda: inner(x), lambda: x),
    }
    return bodies[outer]


def read(x: Any) -> Any:
    return x + tf.io.read_file(x[0])


def write(x: Any) -> Any:
    with tf.control_dependencies([tf.io.write_file(x[0], "gone")]):
        return tf.identity(x)


def list_files(x: Any) -> Any:
    return tf.io.matching_files(x)


def read_records(x: Any) -> Any:
    return tf.data.TextLineDataset(x).reduce("", lambda state, line: state + line) + x


def print_to_a_file(x: Any) -> Any:
    with tf.control_dependencies([tf.print(x, output_stream="file:///tmp/printed")]):
        return tf.identity(x)


def run_python(x: Any) -> Any:
    return tf.ensure_shape(tf.numpy_function(lambda x: x, [x], tf.string), [None])


def restore(x: Any) -> Any:
    restored = tf.raw_ops.Restore(file_pattern=x[0], tensor_name="w", dt=tf.string)
    return tf.ensure_shape(restored, [None])


def decode_by_file(x: Any) -> Any:
    _, values = tf.io.decode_proto(x, "M", ["f"], [tf.string], descriptor_source="/etc/passwd")
    return values[0][:, 0]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (read, "uses 'ReadFile', which reaches for files"),
        (write, "uses 'WriteFile', which reaches for files"),
        (list_files, "uses 'MatchingFiles', which reaches for files"),
        (read_records, "uses 'TextLineDataset', which reaches for files"),
        (restore, "uses 'Restore', which reaches for files"),
        (print_to_a_file, "uses 'PrintV2', whose output_stream may be a file"),
        (decode_by_file, "uses 'DecodeProtoV2', whose descriptor_source may be a file"),
        (run_python, r"uses 'PyFunc', which runs Python code that stayed behind"),
    ],
)
@pytest.mark.parametrize("outer", ["graph", "function", "loop", "branch"])
def test_an_op_that_a_model_must_not_run_is_refused(
    tmp_path: Path, serve: Serve, body: Callable[[Any], Any], message: str, outer: str
) -> None:
    signature = function(lambda x: {"y": wrapped(body, outer)(x)}, x=tf.string)
    with pytest.raises(CannotServe, match=message):
        load(save(tmp_path / "model", signature))

    def build() -> None:
        x = v1.placeholder(tf.string, [None], name="x")
        tf.identity(wrapped(body, outer)(x), name="y")

    with pytest.raises(CannotServe, match=message):
        serve(build, ["x"], ["y"])


def test_what_no_prediction_runs_must_not_use_files_either(tmp_path: Path, serve: Serve) -> None:
    signatures = {
        "serving_default": function(lambda x: {"y": x + "!"}, x=tf.string),
        "other": function(lambda x: {"y": read(x)}, x=tf.string),
    }
    with pytest.raises(CannotServe, match=r"of function '.*' uses 'ReadFile'"):
        load(save(tmp_path / "model", signatures))

    def build() -> None:
        x = v1.placeholder(tf.string, [None], name="x")
        tf.identity(read(x), name="other")
        tf.add(x, "!", name="y")

    with pytest.raises(CannotServe, match="node 'ReadFile' uses 'ReadFile'"):
        serve(build, ["x"], ["y"])


def test_printing_and_decoding_without_files_are_harmless(tmp_path: Path) -> None:
    def body(x: Any) -> Any:
        with tf.control_dependencies([tf.print("", output_stream=tf.compat.v1.logging.info)]):
            return {"y": tf.io.decode_proto(x, "tensorflow.NodeDef", ["op"], [tf.string])[0]}

    load(save(tmp_path / "model", function(body, x=tf.string)))


def test_a_model_without_a_saver_is_searched_as_a_whole(tmp_path: Path) -> None:
    module = tf.Module()
    # Only tf.saved_model.load fills a table that no saver restores.
    module.table = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, 0)
    module.other = function(lambda x: {"y": read(x)}, x=tf.string)
    module.other.get_concrete_function()
    signature = function(lambda x: {"y": module.table.lookup(x)}, x=tf.string)
    folder = save(tmp_path / "model", signature, module, experimental_skip_saver=True)
    with pytest.raises(CannotServe, match="'ReadFile', which reaches for files"):
        load(folder)


# Restoring and initialising read files: the model's own, and no others.


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
