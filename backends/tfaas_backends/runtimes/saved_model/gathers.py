"""Gathering from a variable, written as gathering from the value that was read of it.

TensorFlow's ops that gather from a variable first see to it that no one else has its memory: what
sessions share is copied once by each of them. Reading it, and gathering from that, copies nothing.
"""

from __future__ import annotations

from typing import Any

from tfaas_backends.runtimes.tensorflow.quiet import tf

GATHERS = {"ResourceGather": "GatherV2", "ResourceGatherNd": "GatherNd"}
"""Those from variables, each with the one from values. Both call their output the same."""


def read_first(node: Any, nodes: Any, taken: set[str], in_function: bool) -> None:
    """Changes ``node``, one of GATHERS among ``nodes``, and adds the nodes that it needs then.

    ``taken``: the names of these, to be added to.
    """
    dtype = node.attr["dtype"].type
    read = nodes.add(name=_unused(f"{node.name}/read", taken), op="ReadVariableOp")
    read.input.append(node.input[0])
    read.attr["dtype"].type = dtype
    node.input[0] = f"{read.name}:value:0" if in_function else read.name
    if node.op == "ResourceGather":
        axis = nodes.add(name=_unused(f"{node.name}/axis", taken), op="Const")
        axis.attr["dtype"].type = tf.int32.as_datatype_enum
        batch_dims = node.attr["batch_dims"].i if "batch_dims" in node.attr else 0
        axis.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(batch_dims, tf.int32))
        node.input.insert(2, f"{axis.name}:output:0" if in_function else axis.name)
        node.attr["Taxis"].type = tf.int32.as_datatype_enum
    node.op = GATHERS[node.op]
    node.attr["Tparams"].type = dtype
    for name in ("dtype", "validate_indices"):
        node.attr.pop(name, None)


def _unused(name: str, names: set[str]) -> str:
    while name in names:
        name += "_"
    names.add(name)
    return name
