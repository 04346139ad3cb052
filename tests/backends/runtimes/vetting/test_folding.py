"""What is computed of constants is what TensorFlow computes."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
from tfaas_backends.runtimes.tensorflow.private import op_def_registry
from tfaas_backends.runtimes.tensorflow.quiet import tf
from tfaas_backends.runtimes.vetting.arithmetic import MAX_ELEMENTS, RULES
from tfaas_backends.runtimes.vetting.folding import Folding
from tfaas_backends.runtimes.vetting.shapes import SHAPES, Shaped

from tests.backends.runtimes.vetting.graphs import v1

raw = tf.raw_ops
WHOLE = [[7, -2, 3], [-5, 8, 4]]
REAL = [[0.5, -1.25, 2.5], [3.0, 4.5, -0.75]]
OTHER = [[2, 3, -2], [3, -4, 5]]


def one_by_one() -> None:
    whole, other, real = (np.array(values) for values in (WHOLE, OTHER, REAL))
    for name in ("Neg", "Abs", "Square", "Identity", "OnesLike", "ZerosLike", "StopGradient"):
        getattr(raw, name)(**{"x" if name in OF_X else "input": whole.astype(np.int32)})
    for name in ("Sqrt", "Exp", "Floor", "Ceil", "Round"):
        getattr(raw, name)(x=np.abs(real))
    for name in TWO:
        getattr(raw, name)(x=whole, y=other)
    for name in ("RealDiv", "Div", "Pow"):
        getattr(raw, name)(x=np.abs(real), y=real)
    for name in ("LeftShift", "RightShift"):
        getattr(raw, name)(x=whole, y=np.abs(other))
        getattr(raw, name)(x=whole, y=other * 40)
    raw.TruncateDiv(x=np.array([2**53 + 1, -(2**53) - 1, 7, -7]), y=np.array([1, 1, -2, 2]))
    raw.AddN(inputs=[whole, other, whole])
    raw.SelectV2(condition=whole > 3, t=whole, e=other[0])
    raw.LogicalAnd(x=whole > 3, y=other > 0)
    raw.LogicalOr(x=whole > 3, y=other[0] > 0)
    raw.LogicalNot(x=whole > 3)


OF_X = ("Neg", "Abs", "Square", "OnesLike", "ZerosLike")
TWO = (
    *("Add", "AddV2", "Sub", "Mul", "Div", "TruncateDiv", "FloorDiv", "FloorMod", "Mod"),
    *("Maximum", "Minimum", "BitwiseAnd", "BitwiseOr", "BitwiseXor"),
    *("Less", "LessEqual", "Greater", "GreaterEqual", "Equal", "NotEqual"),
)


def of_more() -> None:
    for name in ("Prod", "Sum", "Max", "Min"):
        for axis in (0, -1, [0, 1], []):
            getattr(raw, name)(input=WHOLE, axis=axis, keep_dims=axis == 0)
    raw.Cast(x=REAL, DstT=tf.int64)
    raw.Reshape(tensor=WHOLE, shape=[3, -1])
    raw.ExpandDims(input=WHOLE, axis=-1)
    raw.Squeeze(input=[[WHOLE]], axis=[0])
    raw.Squeeze(input=[[WHOLE]])
    raw.Transpose(x=WHOLE, perm=[1, 0])
    raw.ReverseV2(tensor=WHOLE, axis=[1])
    raw.Pack(values=[WHOLE, OTHER], axis=-1)
    raw.ConcatV2(values=[WHOLE, OTHER], axis=1)
    raw.Concat(concat_dim=0, values=[WHOLE, OTHER])
    raw.Slice(input=WHOLE, begin=[0, 1], size=[-1, 1])
    raw.Gather(params=WHOLE, indices=[1, 0])
    raw.GatherV2(params=WHOLE, indices=[2, 0], axis=1)
    raw.GatherV2(params=WHOLE, indices=[[2], [0]], axis=1, batch_dims=1)
    raw.BroadcastTo(input=[1, 2], shape=[2, 2])
    raw.Fill(dims=[2, 2], value=7)
    raw.Tile(input=WHOLE, multiples=[2, 1])
    raw.Range(start=-3, limit=9, delta=4)
    raw.Range(start=0.5, limit=-2.0, delta=-0.25)
    for kind in (raw.PreventGradient, raw.Snapshot):
        kind(input=WHOLE)
    raw.CheckNumerics(tensor=REAL, message="")
    raw.EnsureShape(input=WHOLE, shape=[2, 3])


def of_slices() -> None:
    value = tf.constant(np.arange(60).reshape(3, 4, 5))
    _ = value[1], value[-1, ::2], value[..., 3:0:-1], value[None, 1:, ..., 2], value[:, -2]


def of_shapes() -> None:
    large = raw.Fill(dims=[300, 5], value=1.0)
    shaped = raw.BroadcastTo(input=1, shape=[2, 3, 400]), raw.Reshape(tensor=large, shape=[1500])
    for each in (tf.constant(WHOLE), tf.constant(np.zeros((40, 9))), large, *shaped):
        raw.Shape(input=each, out_type=tf.int64)
        raw.Size(input=each)
        raw.Rank(input=each)


COLUMN = np.arange(1.0, 301, dtype=np.float32).reshape(300, 1)
GIVEN: dict[str, dict[str, Any]] = {
    "AddN": {"inputs": [COLUMN, COLUMN]},
    "BroadcastTo": {"input": 1, "shape": [40, 9]},
    "Cast": {"x": COLUMN, "DstT": tf.int64},
    "CheckNumerics": {"tensor": COLUMN, "message": ""},
    "Empty": {"shape": [40, 9], "dtype": tf.float32},
    "EnsureShape": {"input": COLUMN, "shape": [300, 1]},
    "ExpandDims": {"input": COLUMN, "axis": -1},
    "Fill": {"dims": [40, 9], "value": 1},
    "Reshape": {"tensor": COLUMN, "shape": [3, -1, 5]},
    "SelectV2": {"condition": COLUMN > 3, "t": COLUMN.T, "e": 0.0},
    "Tile": {"input": COLUMN, "multiples": [2, 3]},
    "Transpose": {"x": COLUMN, "perm": [1, 0]},
    "MatMul": {"a": COLUMN, "b": COLUMN, "transpose_b": True},
    "BatchMatMul": {"x": COLUMN.T, "y": COLUMN, "adj_x": True, "adj_y": True},
    "BatchMatMulV2": {"x": np.stack([COLUMN, COLUMN]), "y": COLUMN.T},
    "BatchMatMulV3": {"x": COLUMN, "y": COLUMN.T, "Tout": tf.float32},
    "RandomUniform": {"shape": [40, 9], "dtype": tf.float32},
    "RandomStandardNormal": {"shape": [40, 9], "dtype": tf.float32},
}
"""What ops of ``SHAPES`` get; a column, and a row if they take two, if it is not here."""


def of_large() -> None:
    for op in SHAPES:
        names = [argument.name for argument in op_def_registry.get(op).input_arg]
        kinds = (kind for start, kind in KINDS.items() if op.startswith(start))
        column: Any = COLUMN.astype(next(kinds, np.float32))
        usual = dict(zip(names, (column, column.T), strict=False))
        getattr(raw, op)(**GIVEN.get(op, usual))
    raw.ExpandDims(input=COLUMN, axis=0)
    raw.ExpandDims(input=COLUMN, axis=-3)


KINDS = {
    **dict.fromkeys(("Bitwise", "LeftShift", "RightShift", "TruncateDiv"), np.int32),
    "Logical": np.bool_,
}


def test_it_is_the_same_as_what_tensorflow_computes() -> None:
    seen, shaped = set[str](), set[str]()
    for build in (one_by_one, of_more, of_slices, of_shapes, of_large):
        graph, folding = folded(build)
        with v1.Session(graph=graph) as session:
            for operation in graph.get_operations():
                (value,) = folding.inputs(follower(operation.name))
                (expected,) = session.run(operation.outputs)
                if value is None:
                    assert operation.node_def.attr["batch_dims"].i, operation.name
                elif isinstance(value, Shaped):
                    assert value.shape == expected.shape, operation.name
                    shaped.add(operation.type)
                else:
                    np.testing.assert_allclose(value, expected, rtol=1e-6, err_msg=operation.name)
                    assert value.dtype == expected.dtype, operation.name
                    seen.add(operation.type)
    assert seen == set(RULES)
    assert shaped >= set(SHAPES)


def test_what_becomes_large_is_not_computed() -> None:
    def build() -> None:
        text = tf.constant("x")
        for _ in range(40):
            text = raw.Add(x=text, y=text)
        raw.Fill(dims=[1 << 40], value=1.0)
        raw.Tile(input=[1], multiples=[1 << 40])
        raw.Range(start=0.0, limit=1e15, delta=1e-2)
        raw.BroadcastTo(input=1, shape=[1 << 20, 1 << 20])
        rows = [tf.reshape(tf.range(200), [1] * at + [200] + [1] * (5 - at)) for at in range(6)]
        product = rows[0]
        for row in rows[1:]:
            product = product * row

    graph, folding = folded(build)
    last = [operation for operation in graph.get_operations() if operation.type != "Const"][-1]
    for operation in graph.get_operations():
        value = folding.inputs(follower(operation.name))[0]
        assert not isinstance(value, np.ndarray) or value.size <= MAX_ELEMENTS
    assert folding.inputs(follower(last.name)) == [Shaped((200,) * 6)]


def test_a_shape_is_known_whatever_was_asked_for_before() -> None:
    def build() -> None:
        raw.Shape(input=raw.Empty(shape=[300, 5], dtype=tf.float32), name="shape")

    _graph, folding = folded(build)
    (value,) = folding.inputs(follower("shape"))
    assert value.tolist() == [300, 5]


def test_nothing_large_is_made_on_the_way_to_what_is_not_known() -> None:
    def build() -> None:
        raw.Range(start=tf.int32.min, limit=tf.int32.max, delta=1 << 10)
        raw.Tile(input=[1], multiples=[1 << 22])
        for last in (0, -1):
            raw.Tile(input=[[1]], multiples=tf.constant([1 << 22, last]))
        raw.Sum(input=np.zeros((1 << 22, 0), np.int32), axis=1)
        raw.Fill(dims=[1 << 22, 0], value=1)

    with tf.Graph().as_default() as graph:
        build()
    nodes = {node.name: node for node in graph.as_graph_def().node}
    nodes["wrong"] = constant = v1.NodeDef(name="wrong", op="Const")
    constant.attr["value"].tensor.CopyFrom(tf.make_tensor_proto([1], tf.int32))
    sizes = constant.attr["value"].tensor.tensor_shape.dim
    sizes[0].size = -(1 << 11)
    sizes.add(size=-(1 << 11))
    tracemalloc.start()
    try:
        for name in nodes:
            Folding(nodes).inputs(follower(name))
            assert tracemalloc.get_traced_memory()[1] < 1 << 20, name
    finally:
        tracemalloc.stop()


def test_a_node_stays_as_it_is() -> None:
    # As a SavedModel has it: attributes with their default values are left out.
    slicing, summing = node("StridedSlice", *"abcd"), node("Sum", *"ab")
    nodes = {name: constant(name) for name in "abcd"} | {"x": slicing, "y": summing}
    folding = Folding(nodes)
    before = [slicing.SerializeToString(), summing.SerializeToString()]
    (value,) = folding.inputs(follower("y"))
    assert value == 1
    folding.inputs(follower("x"))
    assert [slicing.SerializeToString(), summing.SerializeToString()] == before


def test_what_is_left_open_until_a_call_is_not_known() -> None:
    packing = node("Pack", "a", "b")
    packing.attr["axis"].placeholder = "axis"
    folding = Folding({"a": constant("a"), "b": constant("b"), "x": packing})
    assert folding.inputs(follower("x")) == [None]


def node(op: str, *inputs: str) -> Any:
    return v1.NodeDef(name=op, op=op, input=inputs)


def constant(name: str) -> Any:
    made = v1.NodeDef(name=name, op="Const")
    made.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(np.array([name == "a"], np.int32)))
    return made


def folded(build: Callable[[], Any]) -> tuple[Any, Folding]:
    """A graph, and what is known of its nodes."""
    with tf.Graph().as_default() as graph:
        build()
    return graph, Folding({node.name: node for node in graph.as_graph_def().node})


def follower(name: str) -> Any:
    """A node that takes what that one gives."""
    return v1.NodeDef(name="follower", op="Identity", input=[f"{name}:0", "^other"])
