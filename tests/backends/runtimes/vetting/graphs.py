"""GraphDefs written by hand, as no tool writes them, and hostile ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from tfaas_backends.runtimes.tensorflow.quiet import tf

v1 = tf.compat.v1
READ = "ReadFile"
GIGABYTES = [1 << 30]
"""The shape of a constant that takes four of them."""


class Hostile(msgspec.Struct, frozen=True):
    """A graph that must be refused.

    ``change`` makes it of a harmless one. The refusal names the ``op``, if an op is to blame, and
    has the words ``says`` in its message; ``path`` leads to the place.
    """

    change: Callable[[Any], Any]
    path: Sequence[str]
    op: str = ""
    says: str = ""


def harmless() -> Any:
    """A graph that answers y, the negative of x, by a function."""
    graph_def = v1.GraphDef()
    graph_def.versions.producer = tf.version.GRAPH_DEF_VERSION
    x = graph_def.node.add(name="x", op="Placeholder")
    x.attr["dtype"].type = tf.float32.as_datatype_enum
    add_function(graph_def, "negate")
    y = call(graph_def, "y", "negate")
    y.input.append("x")
    return graph_def


def add_function(graph_def: Any, name: str) -> Any:
    """Adds a function that negates; its caller may add to it."""
    function = graph_def.library.function.add()
    function.signature.name = name
    function.signature.input_arg.add(name="a", type=tf.float32.as_datatype_enum)
    function.signature.output_arg.add(name="b", type=tf.float32.as_datatype_enum)
    negate = function.node_def.add(name="minus", op="Neg", input=["a"])
    negate.attr["T"].type = tf.float32.as_datatype_enum
    function.ret["b"] = "minus:y:0"
    return function


def add(graph_def: Any, name: str, op: str, *inputs: str) -> Any:
    """Adds a node to the graph."""
    return graph_def.node.add(name=name, op=op, input=inputs)


def call(graph_def: Any, name: str, function: str) -> Any:
    """Adds a call of a function of one number."""
    node = add(graph_def, name, "PartitionedCall")
    node.attr["f"].func.name = function
    for types in ("Tin", "Tout"):
        node.attr[types].list.type.append(tf.float32.as_datatype_enum)
    return node


def constant(graph_def: Any, name: str, value: Any, dtype: Any = None) -> Any:
    """Adds a constant."""
    node = add(graph_def, name, "Const")
    tensor = tf.make_tensor_proto(value, dtype)
    node.attr["dtype"].type = tensor.dtype
    node.attr["value"].tensor.CopyFrom(tensor)
    return node


def splat(graph_def: Any, name: str, shape: Sequence[int], dtype: Any = tf.float32) -> Any:
    """Adds a constant of one value, many times: its file has but its shape."""
    node = add(graph_def, name, "Const")
    node.attr["dtype"].type = dtype.as_datatype_enum
    tensor = node.attr["value"].tensor
    tensor.dtype = dtype.as_datatype_enum
    for size in shape:
        tensor.tensor_shape.dim.add(size=size)
    if dtype == tf.string:
        tensor.string_val.append(b"x")
    return node


Case = TypeVar("Case")


def counted(cases: Mapping[str, Case], count: int) -> Mapping[str, Case]:
    """The cases, which are so many: the docs say how many there are."""
    assert len(cases) == count, f"there are {len(cases)} cases now: say so here, and in the docs"
    return cases
