"""Shapes of tensors that are combined element by element, aligned from the last axis."""

from __future__ import annotations

from collections.abc import Sequence

from tfaas_backends.runtimes.independence.dimensions import (
    ONE,
    UNKNOWN,
    Dimension,
    Shape,
    number,
    same,
)
from tfaas_backends.runtimes.independence.rules.arguments import shape_of
from tfaas_backends.runtimes.independence.values import Constant, Counted, Mixes, Rows, Value


def broadcast(one: Shape, other: Shape) -> Shape:
    """The common shape of two; no size in them depends on the rows."""
    if one == other:
        return one
    rank = max(len(one), len(other))
    padded = ((ONE,) * (rank - len(shape)) + shape for shape in (one, other))
    return tuple(map(_size, *padded))


def _size(one: Dimension, other: Dimension) -> Dimension:
    if one == ONE or same(one, other):
        return other
    if other == ONE:
        return one
    for size in (one, other):  # the other one can only be 1, or the same
        if number(size) is not None:
            return size
    return UNKNOWN


def is_certain(one: Shape, other: Shape) -> bool:
    """Whether the two have a common shape, whatever sizes a request chooses."""
    aligned = zip(reversed(one), reversed(other), strict=False)
    return all(a == ONE or b == ONE or same(a, b) for a, b in aligned)


def combined(inputs: Sequence[Value]) -> Rows:
    """What comes of combining element by element; at least one of them are rows."""
    if any(isinstance(value, Counted) for value in inputs):
        raise Mixes("computes with the number of rows")
    first = next(value for value in inputs if isinstance(value, Rows))
    place = len(first.shape) - first.axis
    rank = max(len(shape_of(value)) for value in inputs)
    shape: Shape = (ONE,) * rank
    for value in inputs:
        shape = broadcast(shape, _without_rows(value, first, place))
    axis = rank - place
    return Rows(
        (*shape[:axis], first.shape[first.axis], *shape[axis + 1 :]),
        axis,
        first.before,
        first.after,
    )


def _without_rows(value: Value, first: Rows, place: int) -> Shape:
    """The shape, with 1 where the rows are; Raises Mixes if they are elsewhere."""
    shape = shape_of(value)
    axis = len(shape) - place
    if isinstance(value, Rows):
        if value.axis != axis:
            raise Mixes("sets all rows against all rows")
        if (value.before, value.after) != (first.before, first.after):
            raise Mixes("sets rows in one order against rows in another")
        return (*shape[:axis], ONE, *shape[axis + 1 :])
    if axis >= 0 and shape[axis] != ONE:
        raise Mixes("sets the rows against a list of another length")
    return shape


def broadcast_constants(inputs: Sequence[Value]) -> Shape | None:
    """The shape of what is combined of constants; None: it is not known."""
    shape: Shape = ()
    for value in inputs:
        if not isinstance(value, Constant) or value.shape is None:
            return None
        shape = broadcast(shape, value.shape)
    return shape
