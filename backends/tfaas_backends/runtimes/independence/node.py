"""A node of a graph, in a light structure."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from tfaas_backends.runtimes.independence.definitions import defaults
from tfaas_backends.runtimes.independence.dimensions import UNKNOWN, Dimension, Shape
from tfaas_backends.runtimes.independence.values import Constant
from tfaas_backends.runtimes.tensorflow.private import dtypes, tensor_util

_NAMES = """
    Index N SrcT T Taxis Tdim Tidx Tindices Tout Tpaddings Tparams Tperm Tshape U dtype frame_name
    is_constant out_type parallel_iterations seed seed2 use_cudnn_on_gpu validate_indices
"""
_UNUSED = frozenset(_NAMES.split())
"""Attributes that many nodes have, but no rule asks for."""
_COUNTING = {
    dtype.as_datatype_enum: dtype.as_numpy_dtype
    for dtype in (dtypes.int32, dtypes.int64, dtypes.bool)
}
"""The types of tensors that may hold sizes, axes or conditions."""
_MOST_ELEMENTS = 256


class Edge(msgspec.Struct, frozen=True, gc=False):
    """Where an input comes from: an output of a node of the same body, or what is fed to it.

    ``node``: its place in the body's order; -1: ``port`` counts what is fed.
    """

    node: int
    port: int


class Node(msgspec.Struct, gc=False):
    """``controls`` are the places of the nodes that run before it; ``ports`` how many of its

    outputs are used. ``attributes``: of the kinds that rules ask for, decoded.
    """

    name: str
    op: str
    inputs: tuple[Edge, ...]
    controls: tuple[int, ...]
    attributes: dict[str, Any]
    ports: int = 1

    def attribute(self, name: str) -> Any:
        """Its own or else the op's default; KeyError: it has neither."""
        if name in self.attributes:
            return self.attributes[name]
        return decoded(defaults(self.op)[name])


def attributes_of(node_def: Any) -> dict[str, Any]:
    """Those of its attributes that rules may ask for; a tensor becomes a Constant."""
    return {
        name: decoded(value)
        for name, value in node_def.attr.items()
        if name not in _UNUSED and name[0] != "_"
    }


def decoded(attribute: Any) -> Any:
    match attribute.WhichOneof("value"):
        case "i" | "b" | "f" | "type" as kind:
            return getattr(attribute, kind)
        case "s":
            return attribute.s.decode("utf-8", "replace")
        case "shape":
            return shape_of(attribute.shape)
        case "tensor":
            return _constant(attribute.tensor)
        case "func":
            return attribute.func.name
        case "list":
            return _decoded_list(attribute.list)
    return None


def _decoded_list(values: Any) -> tuple[Any, ...]:
    if values.func:
        return tuple(function.name for function in values.func)
    if values.s:
        return tuple(value.decode("utf-8", "replace") for value in values.s)
    if values.shape:
        return tuple(map(shape_of, values.shape))
    return tuple(values.i or values.b or values.type or values.f)


def shape_of(proto: Any) -> Shape | None:
    """A TensorShapeProto's; sizes that it leaves open are unknown."""
    if proto.unknown_rank:
        return None
    return tuple(Dimension(d.size) if d.size >= 0 else UNKNOWN for d in proto.dim)


def _constant(proto: Any) -> Constant:
    shape = shape_of(proto.tensor_shape)
    if shape is None or proto.dtype not in _COUNTING:
        return Constant(shape)
    if not shape and len(proto.int_val) == 1:
        return Constant(shape, (Dimension(proto.int_val[0]),))
    count = 1
    for size in shape:
        count *= size.coefficient
    if count > _MOST_ELEMENTS:
        return Constant(shape)
    if proto.tensor_content:
        elements = np.frombuffer(proto.tensor_content, _COUNTING[proto.dtype]).tolist()
    else:
        elements = tensor_util.MakeNdarray(proto).ravel().tolist()
    return Constant(shape, tuple(Dimension(int(element)) for element in elements))
