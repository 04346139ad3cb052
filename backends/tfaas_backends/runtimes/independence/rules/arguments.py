"""Reading the inputs that tell a rule about axes and sizes."""

from __future__ import annotations

from collections.abc import Sequence

from tfaas_backends.runtimes.independence.dimensions import Dimension, number
from tfaas_backends.runtimes.independence.values import (
    Constant,
    Counted,
    Elements,
    Mixes,
    Rows,
    Tensor,
    Value,
)


def elements(value: Value) -> Elements:
    """Those of an integer or boolean tensor, some of which may be unknown."""
    if not isinstance(value, Constant | Counted) or value.elements is None:
        raise Mixes("takes sizes or axes that are not known before it runs")
    return value.elements


def numbers(value: Value) -> tuple[int, ...]:
    """The elements, which must all be known."""
    found = tuple(map(number, elements(value)))
    if None in found or not isinstance(value, Constant):
        raise Mixes("takes sizes or axes that are not known before it runs")
    return tuple(n for n in found if n is not None)


def axis_of(value: Value, rank: int) -> int:
    """An axis, counted from the first one."""
    return counted_axis(numbers(value)[0], rank)


def counted_axis(axis: int, rank: int) -> int:
    if not -rank <= axis < rank:
        raise Mixes("names an axis that is not there")
    return axis % rank


def shape_of(value: Value) -> tuple[Dimension, ...]:
    if not isinstance(value, Constant | Counted | Rows) or value.shape is None:
        raise Mixes("takes a tensor of which not even the number of axes is known")
    return value.shape


def rows_of(value: Value, reason: str = "takes what are no rows") -> Rows:
    if not isinstance(value, Rows):
        raise Mixes(reason)
    return value


def constants(values: Sequence[Value], reason: str) -> None:
    """Raises Mixes unless all are the same for all requests."""
    if not all(isinstance(value, Constant) for value in values):
        raise Mixes(reason)


def is_counted(values: Sequence[Value]) -> bool:
    return any(isinstance(value, Counted) for value in values)


def alike(tensors: Sequence[Tensor]) -> Rows:
    """The first one: all must be rows, along the same axis and in the same order."""
    first = rows_of(tensors[0], "sets rows beside what are no rows")
    for tensor in tensors[1:]:
        other = rows_of(tensor, "sets rows beside what are no rows")
        if (other.axis, other.before, other.after) != (first.axis, first.before, first.after):
            raise Mixes("sets rows in one order beside rows in another")
    return first


def moved(rows: Rows, shape: tuple[Dimension, ...], axis: int | None = None) -> Rows:
    """The same rows in another shape, perhaps along another axis."""
    return Rows(shape, rows.axis if axis is None else axis, rows.before, rows.after)
