"""SavedModels that would read files that are not theirs, or bring what is no model."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tfaas_backends.runtimes.tensorflow.quiet import tf

from tests.backends.runtimes.saved_model.saved_models import add_node, edit, function, load, save
from tests.backends.runtimes.vetting.graphs import counted
from tfaas_core.errors import CannotServe
from tfaas_core.runtime import LoadOptions

RESTORING, TABLE = "RestoreV2", "InitializeTableFromTextFileV2"
PASSWD = "/etc/passwd"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with a variable and a vocabulary, as TensorFlow 2 writes it."""
    folder = tmp_path_factory.mktemp("original")
    words = folder / "words.txt"
    words.write_text("a\nb\n")
    module = tf.Module()
    module.weight = tf.Variable(2.0)
    initializer = tf.lookup.TextFileInitializer(
        str(words),
        tf.string,
        tf.lookup.TextFileIndex.WHOLE_LINE,
        tf.int64,
        tf.lookup.TextFileIndex.LINE_NUMBER,
    )
    module.table = tf.lookup.StaticHashTable(initializer, -1)

    def body(x: Any) -> Any:
        return {"y": tf.cast(module.table.lookup(x), tf.float32) * module.weight}

    return save(folder / "model", function(body, x=tf.string), module)


@pytest.fixture
def model(original: Path, tmp_path: Path) -> Path:
    """A copy of it, to be changed."""
    return Path(shutil.copytree(original, tmp_path / "model"))


def functions(meta_graph: Any, op: str) -> Any:
    """The function that has an op, and the node of the graph that calls it."""
    library = meta_graph.graph_def.library.function
    (found,) = (f for f in library if any(node.op == op for node in f.node_def))
    name = found.signature.name
    (call,) = (n for n in meta_graph.graph_def.node if n.attr["f"].func.name == name)
    return found, call


def constant(meta_graph: Any, name: str = "elsewhere") -> str:
    node = add_node(meta_graph, name, "Const")
    tensor = tf.make_tensor_proto(PASSWD)
    node.attr["dtype"].type = tensor.dtype
    node.attr["value"].tensor.CopyFrom(tensor)
    return name


def told_a_constant(op: str) -> Callable[[Any], None]:
    def change(meta_graph: Any) -> None:
        _, call = functions(meta_graph, op)
        call.input[0] = constant(meta_graph)

    return change


def told_by_the_client(op: str) -> Callable[[Any], None]:
    def change(meta_graph: Any) -> None:
        _, call = functions(meta_graph, op)
        call.input[0] = "serving_default_x"

    return change


def told_within(op: str) -> Callable[[Any], None]:
    """By a constant of the function itself."""

    def change(meta_graph: Any) -> None:
        found, _ = functions(meta_graph, op)
        node = found.node_def.add(name="elsewhere", op="Const")
        node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(PASSWD))
        node.attr["dtype"].type = tf.string.as_datatype_enum
        (bad,) = (node for node in found.node_def if node.op == op)
        bad.input[1 if op == TABLE else 0] = "elsewhere:output:0"

    return change


def another_output(meta_graph: Any) -> None:
    """The asset is one of two outputs of a node: the table is told the other one."""
    node = add_node(meta_graph, "both", "Unpack", [constant(meta_graph)])
    node.attr["num"].i = 2
    node.attr["T"].type = tf.string.as_datatype_enum
    meta_graph.asset_file_def[0].tensor_info.name = "both:0"
    _, call = functions(meta_graph, TABLE)
    call.input[0] = "both:1"


def the_table_of_the_saver(meta_graph: Any) -> None:
    _, call = functions(meta_graph, TABLE)
    call.input[0] = meta_graph.saver_def.filename_tensor_name.removesuffix(":0")


def called_by_a_function(meta_graph: Any) -> None:
    found, _ = functions(meta_graph, RESTORING)
    other = meta_graph.graph_def.library.function.add()
    other.signature.name = "other"
    node = other.node_def.add(name="bad", op="StatefulPartitionedCall")
    node.attr["f"].func.name = found.signature.name
    constant_ = other.node_def.add(name="elsewhere", op="Const")
    constant_.attr["dtype"].type = tf.string.as_datatype_enum
    constant_.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(PASSWD))
    node.input.extend(["elsewhere:output:0"] * len(found.signature.input_arg))


def named_by_an_attribute(meta_graph: Any) -> None:
    found, call = functions(meta_graph, RESTORING)
    call.attr["_hidden"].func.name = found.signature.name


def named_by_a_map(meta_graph: Any) -> None:
    found, _ = functions(meta_graph, RESTORING)
    node = add_node(meta_graph, "bad", "MapDataset", ["x"])
    node.attr["f"].func.name = found.signature.name


def named_as_a_gradient(meta_graph: Any) -> None:
    found, _ = functions(meta_graph, RESTORING)
    meta_graph.graph_def.library.gradient.add(
        function_name=found.signature.name, gradient_func=found.signature.name
    )


def implementing_another(meta_graph: Any) -> None:
    found, _ = functions(meta_graph, RESTORING)
    found.attr["api_implements"].s = b"same"


def too_few_arguments(meta_graph: Any) -> None:
    _, call = functions(meta_graph, RESTORING)
    del call.input[1:]


def prepared_by_restoring(meta_graph: Any) -> None:
    _, call = functions(meta_graph, RESTORING)
    (init,) = meta_graph.signature_def["__saved_model_init_op"].outputs.values()
    init.name = call.name


def answered(op: str) -> Callable[[Any], None]:
    """What reads the file is an output; the client feeds the file's name."""

    def change(meta_graph: Any) -> None:
        _, call = functions(meta_graph, op)
        signature = meta_graph.signature_def["serving_default"]
        signature.inputs["x"].name = f"{call.input[0]}:0"
        signature.outputs["y"].name = f"{call.name}:0"

    return change


def saved_before_an_answer(meta_graph: Any) -> None:
    _, call = functions(meta_graph, "SaveV2")
    (answer,) = meta_graph.signature_def["serving_default"].outputs.values()
    (node,) = (n for n in meta_graph.graph_def.node if n.name == answer.name.partition(":")[0])
    node.input.append(f"^{call.name}")


def in_the_graph_itself(meta_graph: Any) -> None:
    name = constant(meta_graph)
    node = add_node(meta_graph, "bad", RESTORING, [name, name, name])
    node.attr["dtypes"].list.type.append(tf.float32.as_datatype_enum)


HOSTILE = counted(
    {
        "a table told a constant": (told_a_constant(TABLE), TABLE),
        "a table told by the client": (told_by_the_client(TABLE), TABLE),
        "a table told within": (told_within(TABLE), TABLE),
        "a table told another output": (another_output, TABLE),
        "a table told the saver's file": (the_table_of_the_saver, TABLE),
        "a table answered": (answered(TABLE), TABLE),
        "a saver told a constant": (told_a_constant(RESTORING), RESTORING),
        "a saver told by the client": (told_by_the_client(RESTORING), RESTORING),
        "a saver told within": (told_within(RESTORING), RESTORING),
        "a saver answered": (answered(RESTORING), RESTORING),
        "a saver called by a function": (called_by_a_function, RESTORING),
        "a saver named by an attribute": (named_by_an_attribute, RESTORING),
        "a saver named by a map": (named_by_a_map, RESTORING),
        "a saver named as a gradient": (named_as_a_gradient, RESTORING),
        "a saver implementing another": (implementing_another, RESTORING),
        "a saver with too few arguments": (too_few_arguments, RESTORING),
        "prepared by restoring": (prepared_by_restoring, RESTORING),
        "saved before an answer": (saved_before_an_answer, "SaveV2"),
        "saved to a constant": (told_a_constant("SaveV2"), "SaveV2"),
        "merged within": (told_within("MergeV2Checkpoints"), "MergeV2Checkpoints"),
        "restored in the graph": (in_the_graph_itself, RESTORING),
    },
    21,
)


def test_the_original_is_served(model: Path) -> None:
    answer = load(model).run([np.array([b"a", b"b", b"c"], object)])
    assert answer[0].tolist() == [0, 2, -2]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_model_that_reads_other_files_is_refused(name: str, model: Path) -> None:
    change, op = HOSTILE[name]
    edit(model, change)
    with pytest.raises(CannotServe, match=f"'{op}', which reaches for files") as caught:
        load(model)
    assert caught.value.details["op"] == op
    assert caught.value.details["path"]


def test_all_graphs_of_the_folder_are_vetted(model: Path) -> None:
    from tensorflow.core.protobuf import saved_model_pb2

    file = model / "saved_model.pb"
    content = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    other = content.meta_graphs.add()
    other.meta_info_def.tags.append("train")
    other.graph_def.node.add(name="bad", op="ReadFile")
    file.write_bytes(content.SerializeToString())
    with pytest.raises(CannotServe, match="node 'bad' uses 'ReadFile'"):
        load(model)
    load(model, LoadOptions(threads=1, policy="off")).close()


def link(folder: Path) -> None:
    (folder / "assets" / "more.txt").symlink_to(PASSWD)


def link_to_a_folder(folder: Path) -> None:
    (folder / "assets.extra").symlink_to("/etc")


def library(folder: Path) -> None:
    (folder / "assets.extra").mkdir()
    (folder / "assets.extra" / "ops.so").write_bytes(b"")


def library_of_another_name(folder: Path) -> None:
    (folder / "assets" / "ops.txt").write_bytes(b"\x7fELF\2\1\1")


def unknown(folder: Path) -> None:
    (folder / "run.py").write_text("")


def unknown_variables(folder: Path) -> None:
    (folder / "variables" / "more.index").write_text("")


FOLDERS = [
    (link, "'assets/more.txt', which is neither a regular file nor a folder"),
    (link_to_a_folder, "'assets.extra', which is neither a regular file nor a folder"),
    (library, "'assets.extra/ops.so', a library of code"),
    (library_of_another_name, "'assets/ops.txt', a library of code"),
    (unknown, "'run.py', which is no file that TensorFlow or Keras writes there"),
    (unknown_variables, "'variables/more.index', which is no file that TensorFlow or Keras"),
]


@pytest.mark.parametrize(("change", "message"), FOLDERS)
def test_a_folder_with_more_than_a_model_is_refused(
    model: Path, change: Callable[[Path], None], message: str
) -> None:
    change(model)
    with pytest.raises(CannotServe, match=message):
        load(model)
    load(model, LoadOptions(threads=1, policy="off")).close()


def test_what_else_tools_write_into_the_folder_is_let_through(model: Path) -> None:
    for name in ("keras_metadata.pb", "params.json", "assets.extra/a/tf_serving_warmup_requests"):
        (model / name).parent.mkdir(parents=True, exist_ok=True)
        (model / name).write_bytes(b"{}")
    (model / "debug").mkdir()
    (model / "debug" / "saved_model_debug_info.pb").write_bytes(b"")
    load(model).close()
