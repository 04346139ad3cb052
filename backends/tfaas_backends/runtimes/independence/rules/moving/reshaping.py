"""Reshape: the same elements in the same order, and other axes."""

from __future__ import annotations

from collections.abc import Sequence

from tfaas_backends.runtimes.independence.dimensions import (
    ROWS,
    UNKNOWN,
    Dimension,
    Shape,
    number,
    of_rows,
    over,
    product,
    same,
    term,
    times,
)
from tfaas_backends.runtimes.independence.interpreter import Rule
from tfaas_backends.runtimes.independence.node import Node
from tfaas_backends.runtimes.independence.rules.arguments import elements, shape_of
from tfaas_backends.runtimes.independence.values import (
    Constant,
    Counted,
    Mixes,
    Rows,
    Tensor,
    Value,
)

_REST = Dimension(-1)
_CUTS = "cuts the rows into parts that are no rows"


def reshaped(node: Node, inputs: Sequence[Value]) -> Tensor:
    value = inputs[0]
    new = _completed(shape_of(value), elements(inputs[1]))
    if isinstance(value, Rows):
        return regrouped(value, new)
    kind = Constant if isinstance(value, Constant) else Counted
    return kind(new, value.elements if isinstance(value, Constant | Counted) else None)


def _completed(old: Shape, wanted: Sequence[Dimension | None]) -> Shape:
    """The shape that is asked for, with the size that was left to be found."""
    known = [size for size in wanted if size is not None]
    if len(known) < len(wanted):
        raise Mixes("brings rows into a shape that is not known before it runs")
    if _REST not in known:
        return tuple(known)
    total, others = product(old), product(size for size in known if size != _REST)
    rest = over(total, others)
    if rest is None:
        if of_rows(total) or of_rows(others):
            raise Mixes(_CUTS)
        rest = _divided(total, others)
    return tuple(rest if size == _REST else size for size in known)


def _divided(total: Dimension, others: Dimension) -> Dimension:
    if number(total) is not None or number(others) == 0:
        return UNKNOWN
    return term("floordiv", total, others)


def regrouped(rows: Rows, new: Shape) -> Rows:
    """The rows' elements keep together if what stands before or after them stays the same."""
    axes = [axis for axis, size in enumerate(new) if of_rows(size)]
    if len(axes) != 1:
        raise Mixes(_CUTS)
    (axis,) = axes
    share = over(new[axis], ROWS)
    if share is None:
        raise Mixes(_CUTS)
    before = _before(rows, new, axis, share)
    if before is None:
        raise Mixes(_CUTS)
    after = over(share, before)
    if after is None:
        raise Mixes(_CUTS)
    return Rows(new, axis, before, after)


def _before(rows: Rows, new: Shape, axis: int, share: Dimension) -> Dimension | None:
    """How many slices of the new axis stand before each row's.

    The number of elements stays the same. So it is enough to know of one side of the rows.
    """
    left = times(product(rows.shape[: rows.axis]), rows.before)
    right = times(rows.after, product(rows.shape[rows.axis + 1 :]))
    before = over(left, product(new[:axis]))
    if before is not None and same(times(before, product(new[:axis])), left):
        return before
    after = over(right, product(new[axis + 1 :]))
    if after is not None and same(times(after, product(new[axis + 1 :])), right):
        return over(share, after)
    return None


RULES: dict[str, Rule] = {"Reshape": reshaped}
