"""Hostile SavedModels: changes of one that has a variable and a vocabulary."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tfaas_backends.runtimes.tensorflow.quiet import tf

from tests.backends.runtimes.saved_model.saved_models import add_node
from tests.backends.runtimes.vetting.graphs import counted

RESTORING, TABLE = "RestoreV2", "InitializeTableFromTextFileV2"
PASSWD = "/etc/passwd"


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


def with_lists_of_arguments(meta_graph: Any) -> None:
    """No file is in the first list, and all others are in the last one."""
    found, call = functions(meta_graph, RESTORING)
    signature = found.signature
    kept = [type(a).FromString(a.SerializeToString()) for a in signature.input_arg]
    del signature.input_arg[:]
    signature.input_arg.add(name="none", type=tf.string.as_datatype_enum, number_attr="M")
    signature.input_arg.extend(kept)
    call.input.insert(0, constant(meta_graph))


def with_two_arguments_of_a_name(meta_graph: Any) -> None:
    found, call = functions(meta_graph, RESTORING)
    found.signature.input_arg.add(name="file_prefix", type=tf.string.as_datatype_enum)
    call.input.append(call.input[0])


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
    meta_graph.signature_def["serving_default"].outputs["y"].name = "bad:0"


def prepared_in_the_graph_itself(meta_graph: Any) -> None:
    in_the_graph_itself(meta_graph)
    meta_graph.signature_def["serving_default"].outputs["y"].name = "StatefulPartitionedCall:0"
    (init,) = meta_graph.signature_def["__saved_model_init_op"].outputs.values()
    (node,) = (n for n in meta_graph.graph_def.node if n.name == init.name)
    node.input.append("^bad")


def computed_in_the_graph_itself(meta_graph: Any) -> None:
    """Nothing runs it, but neither is it a saver's."""
    name = constant(meta_graph)
    upper = add_node(meta_graph, "upper", "StringUpper", [name])
    node = add_node(meta_graph, "bad", RESTORING, [upper.name, name, name])
    node.attr["dtypes"].list.type.append(tf.float32.as_datatype_enum)


MODELS = counted(
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
        "a saver with lists of arguments": (with_lists_of_arguments, RESTORING),
        "a saver with two arguments of a name": (with_two_arguments_of_a_name, RESTORING),
        "prepared by restoring": (prepared_by_restoring, RESTORING),
        "saved before an answer": (saved_before_an_answer, "SaveV2"),
        "saved to a constant": (told_a_constant("SaveV2"), "SaveV2"),
        "merged within": (told_within("MergeV2Checkpoints"), "MergeV2Checkpoints"),
        "restored in the graph": (in_the_graph_itself, RESTORING),
        "prepared in the graph": (prepared_in_the_graph_itself, RESTORING),
        "computed in the graph": (computed_in_the_graph_itself, RESTORING),
    },
    25,
)
