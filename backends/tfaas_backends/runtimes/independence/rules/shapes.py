"""Ops that tell shapes, or bring what they hold into another shape."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tfaas_backends.runtimes.independence.dimensions import (
    ONE,
    Dimension,
    Shape,
    number,
    product,
)
from tfaas_backends.runtimes.independence.interpreter import Rule
from tfaas_backends.runtimes.independence.node import Node
from tfaas_backends.runtimes.independence.rules.arguments import (
    counted_axis,
    moved,
    numbers,
    shape_of,
)
from tfaas_backends.runtimes.independence.values import (
    Constant,
    Counted,
    Mixes,
    Rows,
    Tensor,
    Value,
    integers,
    scalar,
)


def shape(node: Node, inputs: Sequence[Value]) -> tuple[Tensor, ...]:
    """Shape, ShapeN."""
    return tuple(_shape(value) for value in inputs)


def _shape(value: Value) -> Tensor:
    sizes = shape_of(value)
    return integers((Dimension(len(sizes)),), sizes, counted=not isinstance(value, Constant))


def size(node: Node, inputs: Sequence[Value]) -> Tensor:
    return scalar(product(shape_of(inputs[0])), counted=not isinstance(inputs[0], Constant))


def rank(node: Node, inputs: Sequence[Value]) -> Tensor:
    return scalar(Dimension(len(shape_of(inputs[0]))))


def expanded(node: Node, inputs: Sequence[Value]) -> Tensor:
    old = shape_of(inputs[0])
    place = counted_axis(numbers(inputs[1])[0], len(old) + 1)
    new = (*old[:place], ONE, *old[place:])
    return _reshaped(inputs[0], new, lambda axis: axis + (place <= axis))


def squeezed(node: Node, inputs: Sequence[Value]) -> Tensor:
    old = shape_of(inputs[0])
    axes = {counted_axis(axis, len(old)) for axis in node.attribute("squeeze_dims")}
    if not axes and isinstance(inputs[0], Rows):
        raise Mixes("drops the axis of rows if it has one row")
    if not axes:
        axes = {axis for axis, length in enumerate(old) if length == ONE}
        if any(number(length) is None for length in old):
            raise Mixes("drops axes that are not known before it runs")
    new = tuple(length for axis, length in enumerate(old) if axis not in axes)
    if isinstance(inputs[0], Rows) and inputs[0].axis in axes:
        raise Mixes("drops the axis of rows")
    return _reshaped(inputs[0], new, lambda axis: axis - sum(a < axis for a in axes))


def transposed(node: Node, inputs: Sequence[Value]) -> Tensor:
    old = shape_of(inputs[0])
    order = [counted_axis(axis, len(old)) for axis in numbers(inputs[1])]
    new = tuple(old[axis] for axis in order)
    if sorted(order) != list(range(len(old))):
        raise Mixes("orders axes that are not there")
    if isinstance(inputs[0], Rows):
        return moved(inputs[0], new, order.index(inputs[0].axis))
    return Constant(new) if isinstance(inputs[0], Constant) else Counted(new)


def _reshaped(value: Value, new: Shape, place: Callable[[int], int]) -> Tensor:
    """The same elements in a shape that differs by axes of one element."""
    if isinstance(value, Rows):
        return moved(value, new, place(value.axis))
    if isinstance(value, Constant):
        return Constant(new, value.elements)
    if isinstance(value, Counted):
        return Counted(new, value.elements)
    raise Mixes("has no rule")


def ensured(node: Node, inputs: Sequence[Value]) -> Tensor:
    """EnsureShape: raises if the shape is another, and gives the same tensor."""
    value = inputs[0]
    if isinstance(value, Constant | Counted | Rows):
        return value
    raise Mixes("has no rule")


RULES: dict[str, Rule] = {
    **dict.fromkeys(("Shape", "ShapeN"), shape),
    "Size": size,
    "Rank": rank,
    "ExpandDims": expanded,
    "Squeeze": squeezed,
    "Transpose": transposed,
    "EnsureShape": ensured,
}
