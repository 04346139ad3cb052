"""Ops that repeat what they hold, or count."""

from __future__ import annotations

from collections.abc import Sequence

from tfaas_backends.runtimes.independence.dimensions import (
    ONE,
    ROWS,
    UNKNOWN,
    Dimension,
    Shape,
    number,
    of_rows,
    over,
    product,
    same,
    times,
)
from tfaas_backends.runtimes.independence.interpreter import Rule
from tfaas_backends.runtimes.independence.node import Node
from tfaas_backends.runtimes.independence.rules.arguments import (
    constants,
    elements,
    is_counted,
    moved,
    shape_of,
)
from tfaas_backends.runtimes.independence.values import (
    Constant,
    Counted,
    Elements,
    Mixes,
    Rows,
    Tensor,
    Value,
)

_MOST = 256


def filled(node: Node, inputs: Sequence[Value]) -> Tensor:
    if isinstance(inputs[1], Rows):
        raise Mixes("has no rule")
    new = _sizes(elements(inputs[0]))
    rows_axes = [axis for axis, length in enumerate(new) if of_rows(length)]
    content = inputs[1].elements if isinstance(inputs[1], Constant) else None
    if isinstance(inputs[1], Counted) or len(rows_axes) > 1:
        return Counted(new)
    if rows_axes:
        return repeated(new, rows_axes[0])
    count = number(product(new))
    known = content * count if content and count is not None and count <= _MOST else None
    return Constant(new, known)


def repeated(new: Shape, axis: int) -> Rows:
    """The same for each row: so the order within the axis does not matter."""
    after = over(new[axis], ROWS)
    if after is None:
        raise Mixes("makes an axis of more rows than there are")
    return Rows(new, axis, ONE, after)


def _sizes(found: Elements) -> Shape:
    if any(length is None for length in found):
        raise Mixes("takes sizes that are not known before it runs")
    return tuple(length for length in found if length is not None)


def broadcast_to(node: Node, inputs: Sequence[Value]) -> Tensor:
    new = _sizes(elements(inputs[1]))
    old = shape_of(inputs[0])
    if len(old) > len(new):
        raise Mixes("has no rule")
    padded = (ONE,) * (len(new) - len(old)) + old
    rows_axes = [axis for axis, length in enumerate(new) if of_rows(length)]
    if isinstance(inputs[0], Rows):
        axis = inputs[0].axis + len(new) - len(old)
        if rows_axes != [axis] or not same(new[axis], padded[axis]):
            raise Mixes("repeats rows as often as there are rows")
        return moved(inputs[0], new, axis)
    if isinstance(inputs[0], Counted) or len(rows_axes) > 1:
        return Counted(new)
    if not rows_axes:
        return Constant(new)
    if padded[rows_axes[0]] != ONE:
        raise Mixes("sets the rows against a list of another length")
    return repeated(new, rows_axes[0])


def tiled(node: Node, inputs: Sequence[Value]) -> Tensor:
    old = shape_of(inputs[0])
    times_each = _sizes(elements(inputs[1]))
    if len(old) != len(times_each):
        raise Mixes("has no rule")
    new = tuple(map(times, old, times_each))
    rows_axes = [axis for axis, length in enumerate(times_each) if of_rows(length)]
    if isinstance(inputs[0], Rows):
        if rows_axes:
            raise Mixes("repeats rows as often as there are rows")
        rows = inputs[0]
        return Rows(new, rows.axis, times(times_each[rows.axis], rows.before), rows.after)
    if isinstance(inputs[0], Counted) or len(rows_axes) > 1:
        return Counted(new)
    return repeated(new, rows_axes[0]) if rows_axes else Constant(new)


def counted_up(node: Node, inputs: Sequence[Value]) -> Tensor:
    """Range, of which the numbers of another type than sizes are not known."""
    parts = [_single(value) for value in inputs]
    plain = [number(part) for part in parts]
    if None not in plain:
        start, limit, step = (int(n) for n in plain if n is not None)
        found = range(start, limit, step)
        known = tuple(map(Dimension, found)) if len(found) <= _MOST else None
        return Constant((Dimension(len(found)),), known)
    counted = is_counted(inputs)
    length = parts[1] if plain[0] == 0 and plain[2] == 1 else None
    if counted:
        return Counted(None if length is None else (length,))
    return Constant((length or UNKNOWN,))


def _single(value: Value) -> Dimension | None:
    if isinstance(value, Constant | Counted) and value.elements is None:
        return None
    return elements(value)[0]


def spaced(node: Node, inputs: Sequence[Value]) -> Tensor:
    """LinSpace: as many as are asked for."""
    constants(inputs, "counts up by what is computed of rows")
    return Constant((_single(inputs[2]) or UNKNOWN,))


RULES: dict[str, Rule] = {
    "Fill": filled,
    "BroadcastTo": broadcast_to,
    "Tile": tiled,
    "Range": counted_up,
    "LinSpace": spaced,
}
