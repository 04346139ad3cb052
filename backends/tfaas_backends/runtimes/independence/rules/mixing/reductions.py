"""Ops that make one element of all those along some axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce

from tfaas_backends.runtimes.independence.dimensions import ONE, Dimension, Shape, plus, times
from tfaas_backends.runtimes.independence.interpreter import Rule
from tfaas_backends.runtimes.independence.node import Node
from tfaas_backends.runtimes.independence.rules.arguments import (
    axis_of,
    constants,
    counted_axis,
    is_counted,
    moved,
    numbers,
    rows_of,
    shape_of,
)
from tfaas_backends.runtimes.independence.values import (
    Constant,
    Counted,
    Mixes,
    Tensor,
    Value,
    scalar,
)

_REASONS = {
    "Sum": "adds up the rows",
    "Mean": "averages over the rows",
    "Prod": "multiplies the rows",
    "Max": "takes the largest over the rows",
    "Min": "takes the smallest over the rows",
    "Any": "asks whether any of the rows is true",
    "All": "asks whether all of the rows are true",
    "EuclideanNorm": "takes the norm over the rows",
    "ReduceJoin": "joins the texts of the rows",
}
_FOLDS: dict[str, Callable[[Dimension, Dimension], Dimension | None]] = {"Sum": plus, "Prod": times}


def reduced(node: Node, inputs: Sequence[Value]) -> Tensor:
    tensor = inputs[0]
    shape = shape_of(tensor)
    axes = {counted_axis(axis, len(shape)) for axis in numbers(inputs[1])}
    kept = bool(node.attribute("keep_dims"))
    if isinstance(tensor, Constant | Counted):
        return _of_constants(node, tensor, axes, kept)
    rows = rows_of(tensor)
    if rows.axis in axes:
        raise Mixes(_REASONS[node.op], single=len(axes) == len(shape) and not kept)
    axis = rows.axis if kept else rows.axis - sum(a < rows.axis for a in axes)
    return moved(rows, _without(shape, axes, kept), axis)


def _of_constants(node: Node, tensor: Constant | Counted, axes: set[int], kept: bool) -> Tensor:
    shape = _without(shape_of(tensor), axes, kept)
    fold = _FOLDS.get(node.op)
    counted = is_counted([tensor])
    if fold is None or len(shape_of(tensor)) != 1 or shape or not tensor.elements:
        return Counted(shape) if counted else Constant(shape)

    def step(one: Dimension | None, other: Dimension | None) -> Dimension | None:
        return None if one is None or other is None else fold(one, other)

    return scalar(reduce(step, tensor.elements), counted)


def _without(shape: Shape, axes: set[int], kept: bool) -> Shape:
    if kept:
        return tuple(ONE if axis in axes else size for axis, size in enumerate(shape))
    return tuple(size for axis, size in enumerate(shape) if axis not in axes)


def found(node: Node, inputs: Sequence[Value]) -> Tensor:
    """ArgMax and ArgMin."""
    shape = shape_of(inputs[0])
    axis = axis_of(inputs[1], len(shape))
    if isinstance(inputs[0], Constant):
        return Constant(_without(shape, {axis}, False))
    rows = rows_of(inputs[0])
    if axis == rows.axis:
        which = "largest" if node.op == "ArgMax" else "smallest"
        raise Mixes(f"looks for the {which} among the rows")
    return moved(rows, _without(shape, {axis}, False), rows.axis - (axis < rows.axis))


def counted(node: Node, inputs: Sequence[Value]) -> Tensor:
    """DenseBincount: of a matrix, it counts each row by itself."""
    rows = rows_of(inputs[0])
    if len(rows.shape) != 2 or rows.axis != 0:
        raise Mixes("counts over the rows")
    size = numbers(inputs[1])[0]
    weights = inputs[2]
    if not isinstance(weights, Constant):
        if weights != rows:
            raise Mixes("weighs what are no rows")
    elif weights.shape != (Dimension(0),):
        raise Mixes("weighs the rows by a list of another length")
    constants(inputs[1:2], "sizes by rows")
    return moved(rows, (rows.shape[0], Dimension(size)))


RULES: dict[str, Rule] = {
    **dict.fromkeys(_REASONS, reduced),
    **dict.fromkeys(("ArgMax", "ArgMin"), found),
    "DenseBincount": counted,
}
