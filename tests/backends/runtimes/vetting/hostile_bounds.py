"""Graphs that are too large, too deep or ambiguous, and files that none of them may name."""

from __future__ import annotations

from typing import Any

from tfaas_backends.runtimes.tensorflow.quiet import tf

from tests.backends.runtimes.vetting.graphs import (
    GIGABYTES,
    Hostile,
    add,
    add_function,
    call,
    constant,
    splat,
)

BIG = "bytes once it is unfolded"
DEPTH = 20


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


def filled(size: Any) -> Any:
    """A Fill whose size TensorFlow's ops compute of constants; ``size`` makes that."""

    def change(graph_def: Any) -> None:
        with tf.Graph().as_default() as graph:
            tf.raw_ops.Fill(dims=size(), value=1.0, name="bad")
        graph_def.node.extend(graph.as_graph_def().node)

    return change


def many_fills(graph_def: Any) -> None:
    constant(graph_def, "size", [1 << 28])
    constant(graph_def, "value", 1.0)
    for number in range(20):
        node = add(graph_def, f"bad{number}", "Fill", "size", "value")
        node.attr["T"].type = tf.float32.as_datatype_enum


def of_products() -> Any:
    many = tf.constant(1 << 15)
    return tf.stack([many * many, tf.cast(tf.square(2.0), tf.int32)])


def of_shapes() -> Any:
    large = tf.fill([1 << 20, 4], 1.0)
    return tf.reshape(tf.reduce_prod(tf.shape(tf.reshape(large, [1 << 22]))) * 256, [1])


def of_a_row() -> Any:
    doubled = tf.constant(1)
    for _ in range(400):
        doubled = 2 * tf.minimum(doubled, 1 << 29)
    return tf.concat([tf.range(3)[2:], doubled[None]], 0)


def restore(graph_def: Any) -> None:
    constant(graph_def, "file", "/etc/passwd")
    add(graph_def, "bad", "RestoreV2", "file", "file", "file")


def restore_in_a_function(graph_def: Any) -> None:
    function = add_function(graph_def, "idle")
    function.signature.input_arg.add(name="file", type=tf.string.as_datatype_enum)
    function.node_def.add(name="bad", op="RestoreV2", input=["file", "file", "file"])


def restore_of_too_little(graph_def: Any) -> None:
    add(graph_def, "bad", "MergeV2Checkpoints", "x")


BOUNDS = {
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
    "a constant of many dimensions": Hostile(
        lambda graph: splat(graph, "bad", [1 << 62] * 100_000), ["bad"], says="100000 dimensions"
    ),
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
    "a size of products": Hostile(filled(of_products), ["bad"], "Fill", "4294967296 elements"),
    "a size of shapes": Hostile(filled(of_shapes), ["bad"], "Fill", "1073741824 elements"),
    "a size of many ops in a row": Hostile(
        filled(of_a_row), ["bad"], "Fill", "2147483648 elements"
    ),
    "many fills": Hostile(many_fills, ["bad4"], "Fill", "with others"),
    "a huge scatter": Hostile(
        made("ScatterNd", [[1]], [1.0], GIGABYTES, T=tf.float32), ["bad"], "ScatterNd"
    ),
    "a huge count": Hostile(made("Bincount", [1], 1 << 30, [], T=tf.int32), ["bad"], "Bincount"),
    "threads of a data set that reads many": Hostile(
        made("ParallelInterleaveDataset", 1, 200, 1, False, 1, 200),
        ["bad"],
        "ParallelInterleaveDataset",
        "400 threads",
    ),
    "restoring": Hostile(restore, ["bad"], "RestoreV2", "reaches for files"),
    "restoring in a function": Hostile(restore_in_a_function, ["idle", "bad"], "RestoreV2"),
    "merging nothing": Hostile(restore_of_too_little, ["bad"], "MergeV2Checkpoints"),
}
