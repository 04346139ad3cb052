"""Hostile graphs, each with what its refusal has to name."""

from __future__ import annotations

from typing import Any

from tfaas_backends.runtimes.tensorflow.quiet import tf

from tests.backends.runtimes.vetting.graphs import (
    GIGABYTES,
    READ,
    Hostile,
    add,
    add_function,
    call,
    constant,
    counted,
    splat,
)

DEPTH = 20


def in_the_graph(graph_def: Any) -> None:
    add(graph_def, "bad", READ, "x")


def in_a_function(graph_def: Any) -> None:
    graph_def.library.function[0].node_def.add(name="bad", op=READ, input=["a"])


def in_a_function_that_nobody_calls(graph_def: Any) -> None:
    add_function(graph_def, "idle").node_def.add(name="bad", op=READ)


def as_a_function(graph_def: Any) -> None:
    call(graph_def, "bad", READ)


def in_a_func_of_a_func(graph_def: Any) -> None:
    node = call(graph_def, "bad", "negate")
    node.attr["f"].func.attr["g"].func.name = READ


def in_a_list_of_a_func(graph_def: Any) -> None:
    node = call(graph_def, "bad", "negate")
    node.attr["f"].func.attr["g"].list.func.add(name=READ)


def among_branches(graph_def: Any) -> None:
    node = add(graph_def, "bad", "StatelessCase")
    for name in ("negate", READ):
        node.attr["branches"].list.func.add(name=name)


def in_an_attribute_that_no_op_has(graph_def: Any) -> None:
    add(graph_def, "bad", "NoOp").attr["_hidden"].func.name = READ


def as_a_default(graph_def: Any) -> None:
    signature = add_function(graph_def, "idle").signature
    signature.attr.add(name="g", type="func").default_value.func.name = READ


def as_an_allowed_value(graph_def: Any) -> None:
    signature = add_function(graph_def, "idle").signature
    signature.attr.add(name="g", type="func").allowed_values.list.func.add(name=READ)


def in_an_attribute_of_a_function(graph_def: Any) -> None:
    add_function(graph_def, "idle").attr["g"].func.name = READ


def in_an_attribute_of_an_argument(graph_def: Any) -> None:
    add_function(graph_def, "idle").arg_attr[0].attr["g"].func.name = READ


def as_a_gradient(graph_def: Any) -> None:
    graph_def.library.gradient.add(function_name="negate", gradient_func=READ)


def as_what_a_gradient_is_of(graph_def: Any) -> None:
    graph_def.library.gradient.add(function_name=READ, gradient_func="negate")


def as_a_registered_gradient(graph_def: Any) -> None:
    graph_def.library.registered_gradients.add(registered_op_type="Mine", gradient_func=READ)


def as_a_symbolic_gradient(graph_def: Any) -> None:
    add(graph_def, "bad", "SymbolicGradient", "x").attr["f"].func.name = READ


def as_a_dataset_s_function(graph_def: Any) -> None:
    add(graph_def, "bad", "MapDataset").attr["f"].func.name = READ


def implementing_another(graph_def: Any) -> None:
    idle = add_function(graph_def, "idle")
    idle.node_def.add(name="bad", op=READ)
    for function in graph_def.library.function:
        function.attr["api_implements"].s = b"same"


def stream(graph_def: Any) -> None:
    add(graph_def, "bad", "PrintV2", "x").attr["output_stream"].s = b"file:///tmp/x"


def stream_left_open(graph_def: Any) -> None:
    node = graph_def.library.function[0].node_def.add(name="bad", op="PrintV2", input=["a"])
    node.attr["output_stream"].placeholder = "stream"


def stream_of_a_func(graph_def: Any) -> None:
    named = call(graph_def, "bad", "PrintV2").attr["f"].func
    named.attr["output_stream"].s = b"file:///tmp/x"


def vocabulary(graph_def: Any) -> None:
    add(graph_def, "bad", "FixedUnigramCandidateSampler").attr["vocab_file"].s = b"/etc/passwd"


def vocabulary_left_open(graph_def: Any) -> None:
    node = add(graph_def, "bad", "FixedUnigramCandidateSampler")
    node.attr["vocab_file"].placeholder = "file"


def descriptors(graph_def: Any) -> None:
    add(graph_def, "bad", "DecodeProtoV2", "x").attr["descriptor_source"].s = b"/etc/passwd"


def descriptors_left_open(graph_def: Any) -> None:
    add(graph_def, "bad", "EncodeProto", "x").attr["descriptor_source"].placeholder = "file"


def executor(graph_def: Any) -> None:
    call(graph_def, "bad", "negate").attr["executor_type"].s = b"OTHER"


def function_left_open(graph_def: Any) -> None:
    add(graph_def, "bad", "StatelessWhile").attr["body"].placeholder = "f"


def functions_left_open(graph_def: Any) -> None:
    add(graph_def, "bad", "StatelessCase").attr["branches"].placeholder = "f"


def unknown_attribute_left_open(graph_def: Any) -> None:
    add(graph_def, "bad", "NoOp").attr["_hidden"].placeholder = "f"


def constant_left_open(graph_def: Any) -> None:
    add(graph_def, "bad", "Const").attr["value"].placeholder = "f"


def parsed_to_anything(graph_def: Any) -> None:
    node = add(graph_def, "bad", "ParseTensor", "x")
    node.attr["out_type"].type = tf.variant.as_datatype_enum


def type_left_open(graph_def: Any) -> None:
    add(graph_def, "bad", "ParseTensor", "x").attr["out_type"].placeholder = "T"


def constant_of(dtype: Any) -> Any:
    return lambda graph_def: splat(graph_def, "bad", [1], dtype)


def nested_too_deep(graph_def: Any) -> None:
    named = call(graph_def, "bad", "negate").attr["f"].func
    for _ in range(DEPTH):
        named = named.attr["g"].func
        named.name = "negate"


def function_called_as_an_op_is(graph_def: Any) -> None:
    add_function(graph_def, "Identity")


def two_functions_of_a_name(graph_def: Any) -> None:
    add_function(graph_def, "negate")


def two_nodes_of_a_name(graph_def: Any) -> None:
    add(graph_def, "x", "NoOp")


def two_nodes_of_a_name_in_a_function(graph_def: Any) -> None:
    graph_def.library.function[0].node_def.add(name="minus", op="NoOp")


def calling_itself(graph_def: Any) -> None:
    node = graph_def.library.function[0].node_def.add(name="again", op="PartitionedCall")
    node.attr["f"].func.name = "negate"


def calling_each_other(graph_def: Any) -> None:
    for name, other in (("one", "two"), ("two", "one")):
        node = add_function(graph_def, name).node_def.add(name="on", op=other)
        node.input.append("a")


def chain(length: int, calls: int) -> Any:
    """Functions each of which calls the next one so often."""

    def change(graph_def: Any) -> None:
        for number in range(length):
            function = add_function(graph_def, f"f{number}")
            for count in range(calls if number + 1 < length else 0):
                function.node_def.add(name=f"on{count}", op=f"f{number + 1}", input=["a"])

    return change


def many_splats(graph_def: Any) -> None:
    for number in range(20):
        splat(graph_def, f"bad{number}", [1 << 22])


def splat_in_a_list(graph_def: Any) -> None:
    tensor = add(graph_def, "bad", "NoOp").attr["_values"].list.tensor.add(dtype=1)
    tensor.tensor_shape.dim.add(size=1 << 30)


def made(op: str, *values: Any, **types: Any) -> Any:
    """A node that makes a tensor of constants."""

    def change(graph_def: Any) -> None:
        names = [f"c{number}" for number in range(len(values))]
        for name, value in zip(names, values, strict=True):
            constant(graph_def, name, value)
        node = add(graph_def, "bad", op, *names)
        for name, dtype in types.items():
            node.attr[name].type = dtype.as_datatype_enum

    return change


def restore(graph_def: Any) -> None:
    constant(graph_def, "file", "/etc/passwd")
    add(graph_def, "bad", "RestoreV2", "file", "file", "file")


def restore_in_a_function(graph_def: Any) -> None:
    function = add_function(graph_def, "idle")
    function.signature.input_arg.add(name="file", type=tf.string.as_datatype_enum)
    function.node_def.add(name="bad", op="RestoreV2", input=["file", "file", "file"])


def restore_of_too_little(graph_def: Any) -> None:
    add(graph_def, "bad", "MergeV2Checkpoints", "x")


BIG = "bytes once it is unfolded"
OPEN = "is left open until it is called"

HOSTILE = counted(
    {
        "an op in the graph": Hostile(in_the_graph, ["bad"], READ),
        "in a function": Hostile(in_a_function, ["negate", "bad"], READ),
        "in an idle function": Hostile(in_a_function_that_nobody_calls, ["idle", "bad"], READ),
        "as a function": Hostile(as_a_function, ["bad", "f"], READ),
        "in a func of a func": Hostile(in_a_func_of_a_func, ["bad", "f", "g"], READ),
        "in a list of a func": Hostile(in_a_list_of_a_func, ["bad", "f", "g"], READ),
        "among branches": Hostile(among_branches, ["bad", "branches"], READ),
        "in no op's attribute": Hostile(in_an_attribute_that_no_op_has, ["bad", "_hidden"], READ),
        "as a default": Hostile(as_a_default, ["idle", "g"], READ),
        "as an allowed value": Hostile(as_an_allowed_value, ["idle", "g"], READ),
        "in a function's attribute": Hostile(in_an_attribute_of_a_function, ["idle", "g"], READ),
        "in an argument's attribute": Hostile(in_an_attribute_of_an_argument, ["idle", "g"], READ),
        "as a gradient": Hostile(as_a_gradient, ["negate", "gradient"], READ),
        "with a gradient": Hostile(as_what_a_gradient_is_of, [READ, "gradient"], READ),
        "as a registered gradient": Hostile(as_a_registered_gradient, ["Mine", "gradient"], READ),
        "as a symbolic gradient": Hostile(as_a_symbolic_gradient, ["bad", "f"], READ),
        "as a dataset's function": Hostile(as_a_dataset_s_function, ["bad", "f"], READ),
        "implementing another": Hostile(implementing_another, ["idle", "bad"], READ),
        "a stream": Hostile(stream, ["bad"], "PrintV2", "output_stream may be a file"),
        "an open stream": Hostile(stream_left_open, ["negate", "bad"], "PrintV2", "output_stream"),
        "a stream of a func": Hostile(stream_of_a_func, ["bad", "f"], "PrintV2", "output_stream"),
        "a vocabulary": Hostile(vocabulary, ["bad"], "FixedUnigramCandidateSampler", "vocab_file"),
        "an open vocabulary": Hostile(
            vocabulary_left_open, ["bad"], "FixedUnigramCandidateSampler", "vocab_file"
        ),
        "descriptors": Hostile(descriptors, ["bad"], "DecodeProtoV2", "descriptor_source"),
        "open descriptors": Hostile(descriptors_left_open, ["bad"], "EncodeProto", "may be a file"),
        "an executor": Hostile(executor, ["bad"], "PartitionedCall", "executor_type"),
        "an open function": Hostile(function_left_open, ["bad"], "StatelessWhile", OPEN),
        "open functions": Hostile(functions_left_open, ["bad"], "StatelessCase", OPEN),
        "an open attribute": Hostile(unknown_attribute_left_open, ["bad"], "NoOp", OPEN),
        "an open constant": Hostile(constant_left_open, ["bad"], "Const", OPEN),
        "parsed to anything": Hostile(parsed_to_anything, ["bad"], "ParseTensor", "out_type"),
        "an open type": Hostile(type_left_open, ["bad"], "ParseTensor", "out_type"),
        "a constant variant": Hostile(constant_of(tf.variant), ["bad"], says="cannot be checked"),
        "a constant resource": Hostile(constant_of(tf.resource), ["bad"], says="cannot be checked"),
        "nested too deep": Hostile(
            nested_too_deep, ["bad", "f", *["g"] * 8], says="nested more than 8 deep"
        ),
        "a function like an op": Hostile(
            function_called_as_an_op_is, ["Identity"], says="has the name of an op"
        ),
        "two functions": Hostile(two_functions_of_a_name, ["negate"], says="is not unique"),
        "two nodes": Hostile(two_nodes_of_a_name, ["x"], says="is not unique"),
        "two nodes of a function": Hostile(
            two_nodes_of_a_name_in_a_function, ["negate", "minus"], says="is not unique"
        ),
        "calling itself": Hostile(calling_itself, ["negate"], says="calls itself"),
        "calling each other": Hostile(calling_each_other, ["one"], says="calls itself"),
        "calls too deep": Hostile(chain(80, 1), ["f14"], says="more than 64 deep"),
        "calls too many": Hostile(chain(40, 2), ["f18"], says="becomes more than 5000000 nodes"),
        "a splat": Hostile(lambda graph: splat(graph, "bad", GIGABYTES), ["bad"], says=BIG),
        "a splat of text": Hostile(
            lambda graph: splat(graph, "bad", [1 << 24], tf.string), ["bad"], says=BIG
        ),
        "many splats": Hostile(many_splats, ["bad16"], says=BIG),
        "a splat in a list": Hostile(splat_in_a_list, ["bad"], says=BIG),
        "a huge fill": Hostile(made("Fill", GIGABYTES, 1.0, T=tf.float32), ["bad"], "Fill"),
        "a huge broadcast": Hostile(
            made("BroadcastTo", 1.0, GIGABYTES, T=tf.float32), ["bad"], "BroadcastTo"
        ),
        "a huge range": Hostile(
            made("Range", 0, 1 << 30, 1, Tidx=tf.int32), ["bad"], "Range", "in each run"
        ),
        "a huge tile": Hostile(made("Tile", [1.0], GIGABYTES, T=tf.float32), ["bad"], "Tile"),
        "a huge draw": Hostile(
            made("RandomUniform", GIGABYTES, dtype=tf.float32), ["bad"], "RandomUniform"
        ),
        "restoring": Hostile(restore, ["bad"], "RestoreV2", "reaches for files"),
        "restoring in a function": Hostile(restore_in_a_function, ["idle", "bad"], "RestoreV2"),
        "merging nothing": Hostile(restore_of_too_little, ["bad"], "MergeV2Checkpoints"),
    },
    55,
)
