"""Products of matrices."""

from __future__ import annotations

from collections.abc import Sequence

from tfaas_backends.runtimes.independence.dimensions import Shape
from tfaas_backends.runtimes.independence.interpreter import Rule
from tfaas_backends.runtimes.independence.node import Node
from tfaas_backends.runtimes.independence.rules.arguments import is_counted, moved, shape_of
from tfaas_backends.runtimes.independence.rules.broadcasting import broadcast, combined
from tfaas_backends.runtimes.independence.values import Constant, Mixes, Rows, Tensor, Value

_SUMS = "adds up the rows"
_AGAINST = "sets all rows against all rows"


def multiplied(node: Node, inputs: Sequence[Value]) -> Tensor:
    """MatMul and BatchMatMul: over the last axis of the first one, the last but one of the second.

    Transposed matrices are seen as the ones that they are transposed to.
    """
    names = ("transpose_a", "transpose_b") if node.op == "MatMul" else ("adj_x", "adj_y")
    one, other = (
        _turned(value) if node.attribute(name) else value
        for value, name in zip(inputs, names, strict=True)
    )
    if is_counted(inputs):
        raise Mixes("computes with the number of rows")
    shapes = shape_of(one), shape_of(other)
    _check(one, other, *shapes)
    matrix = (shapes[0][-2], shapes[1][-1])
    batch = [_batch(value, shape) for value, shape in zip((one, other), shapes, strict=True)]
    if any(isinstance(value, Rows) for value in batch):
        rows = combined(batch)
        return moved(rows, (*rows.shape, *matrix))
    new = (*broadcast(shape_of(batch[0]), shape_of(batch[1])), *matrix)
    for value, place in ((one, 2), (other, 1)):
        if isinstance(value, Rows):
            return moved(value, new, len(new) - place)
    return Constant(new)


def _check(one: Value, other: Value, first: Shape, second: Shape) -> None:
    """The rows may not be what is added up, and only one side may have them in its matrices."""
    if isinstance(one, Rows) and one.axis == len(first) - 1:
        raise Mixes(_SUMS)
    if isinstance(other, Rows) and other.axis == len(second) - 2:
        raise Mixes(_SUMS)
    if not isinstance(one, Rows) or not isinstance(other, Rows):
        return
    if one.axis >= len(first) - 2 or other.axis >= len(second) - 2:
        raise Mixes(_AGAINST)


def _turned(value: Value) -> Value:
    shape = shape_of(value)
    new = (*shape[:-2], shape[-1], shape[-2])
    if not isinstance(value, Rows):
        return Constant(new)
    last = len(shape) - 1
    return moved(value, new, {last: last - 1, last - 1: last}.get(value.axis, value.axis))


def _batch(value: Value, shape: Shape) -> Value:
    """The axes that count matrices, as a tensor of that shape."""
    if isinstance(value, Rows) and value.axis < len(shape) - 2:
        return moved(value, shape[:-2])
    return Constant(shape[:-2])


RULES: dict[str, Rule] = dict.fromkeys(
    ("MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3"), multiplied
)
