"""Ops that pick entries by their places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tfaas_backends.runtimes.independence.dimensions import number
from tfaas_backends.runtimes.independence.interpreter import Rule
from tfaas_backends.runtimes.independence.node import Node
from tfaas_backends.runtimes.independence.rules.arguments import (
    axis_of,
    constants,
    is_counted,
    moved,
    numbers,
    rows_of,
    shape_of,
)
from tfaas_backends.runtimes.independence.rules.moving.picking import picked
from tfaas_backends.runtimes.independence.values import (
    Constant,
    Counted,
    Mixes,
    Rows,
    Tensor,
    Value,
)

_PICKS = "picks rows by their places"
_BY_COUNT = "picks by the number of rows"


def gathered(node: Node, inputs: Sequence[Value]) -> Tensor:
    """Gather, GatherV2."""
    table, places = inputs[0], inputs[1]
    old = shape_of(table)
    batch = int(node.attribute("batch_dims")) if node.op == "GatherV2" else 0
    axis = axis_of(inputs[2], len(old)) if node.op == "GatherV2" else 0
    return chosen_from(table, places, axis, batch + len(shape_of(places)) * (batch < 0))


def chosen_from(table: Value, places: Value, axis: int, batch: int) -> Tensor:
    old, wanted = shape_of(table), shape_of(places)
    new = (*old[:axis], *wanted[batch:], *old[axis + 1 :])
    if isinstance(table, Rows) and isinstance(places, Rows):
        together = (table.axis, table.before, table.after)
        if table.axis >= batch or (places.axis, places.before, places.after) != together:
            raise Mixes(_PICKS)
        return moved(table, new)
    if isinstance(table, Rows):
        constants([places], _BY_COUNT)
        if table.axis == axis or table.axis < batch:
            raise Mixes(_PICKS)
        gone = table.axis > axis
        return moved(table, new, table.axis + gone * (len(wanted) - batch - 1))
    if isinstance(places, Rows):
        constants([table], _BY_COUNT)
        if places.axis < batch:
            raise Mixes("picks from a list by the place of the row")
        return moved(places, new, axis + places.axis - batch)
    if batch:
        return Counted() if is_counted([table, places]) else Constant(new)
    return _of_constants(table, places, axis, new)


def _of_constants(table: Value, places: Value, axis: int, new: tuple[Any, ...]) -> Tensor:
    known = places.elements if isinstance(places, Constant) else None
    if known is not None and len(shape_of(places)) <= 1 and None not in map(number, known):
        wanted = numbers(places)
        found = picked(table, lambda a: a.take(wanted if shape_of(places) else wanted[0], axis))
        if found is not None:
            return found
    return Counted() if is_counted([table, places]) else Constant(new)


def gathered_each(node: Node, inputs: Sequence[Value]) -> Tensor:
    """GatherNd: the last axis of the places tells an entry of the table."""
    table, places = inputs
    old, wanted = shape_of(table), shape_of(places)
    if isinstance(table, Rows):
        raise Mixes(_PICKS)
    if not isinstance(table, Constant) or isinstance(places, Counted):
        raise Mixes(_BY_COUNT)
    depth = number(wanted[-1])
    if depth is None:
        raise Mixes("picks along axes that are not known before it runs")
    new = (*wanted[:-1], *old[depth:])
    if isinstance(places, Constant):
        return Constant(new)
    if not isinstance(places, Rows) or places.axis == len(wanted) - 1:
        raise Mixes(_PICKS)
    return moved(places, new)


def searched(node: Node, inputs: Sequence[Value]) -> Tensor:
    """LowerBound, UpperBound: each value's place in the sorted list of the same number."""
    table, values = inputs
    constants([table], "looks for places among the rows")
    if isinstance(values, Constant):
        return Constant(values.shape)
    rows = rows_of(values, _BY_COUNT)
    if rows.axis == 0:
        raise Mixes("looks into a list by the place of the row")
    return rows


RULES: dict[str, Rule] = {
    **dict.fromkeys(("Gather", "GatherV2"), gathered),
    "GatherNd": gathered_each,
    **dict.fromkeys(("LowerBound", "UpperBound"), searched),
}
