"""Einsum: sums of products over labelled axes."""

from __future__ import annotations

from collections.abc import Sequence

from tfaas_backends.runtimes.independence.dimensions import (
    ONE,
    UNKNOWN,
    Dimension,
    number,
    of_rows,
    same,
)
from tfaas_backends.runtimes.independence.interpreter import Rule
from tfaas_backends.runtimes.independence.node import Node
from tfaas_backends.runtimes.independence.rules.arguments import alike, is_counted, moved, shape_of
from tfaas_backends.runtimes.independence.values import Constant, Mixes, Rows, Tensor, Value

_AGAINST = "sets all rows against all rows"


def summed(node: Node, inputs: Sequence[Value]) -> Tensor:
    if is_counted(inputs):
        raise Mixes("computes with the number of rows")
    left, arrow, right = node.attribute("equation").replace(" ", "").partition("->")
    terms = left.split(",")
    ranks = [len(shape_of(value)) for value in inputs]
    labels = [_labels(term, rank) for term, rank in zip(terms, ranks, strict=True)]
    if not arrow:
        raise Mixes("has no rule")
    longest = max(sum(label.startswith("...") for label in found) for found in labels)
    result = _labels(right, len(right) - 3 + longest if "..." in right else len(right))
    sizes = _sizes(labels, inputs)
    new = tuple(sizes[label] for label in result)
    rows = [value for value in inputs if isinstance(value, Rows)]
    if not rows:
        return Constant(new)
    label = _label_of_rows(labels, inputs, rows)
    if label not in result:
        raise Mixes("adds up the rows")
    return moved(rows[0], new, result.index(label))


def _labels(term: str, rank: int) -> list[str]:
    """A label for each axis; those of an ellipsis are counted from the last one."""
    before, ellipsis, after = term.partition("...")
    count = rank - len(before) - len(after) if ellipsis else 0
    return [*before, *(f"...{count - i}" for i in range(count)), *after]


def _label_of_rows(
    labels: Sequence[Sequence[str]], inputs: Sequence[Value], rows: Sequence[Rows]
) -> str:
    """The label of the axis of rows: no other tensor may have it, and no other axis."""
    alike([moved(r, (r.shape[r.axis],), 0) for r in rows])
    named = zip(labels, inputs, strict=True)
    (label, *others) = {names[v.axis] for names, v in named if isinstance(v, Rows)}
    if others:
        raise Mixes(_AGAINST)
    for names, value in zip(labels, inputs, strict=True):
        for axis, name in enumerate(names):
            is_one = shape_of(value)[axis] == ONE and name.startswith("...")
            is_rows = isinstance(value, Rows) and axis == value.axis
            if name == label and not is_rows and not is_one:
                raise Mixes(_AGAINST)
    return label


def _sizes(labels: Sequence[Sequence[str]], inputs: Sequence[Value]) -> dict[str, Dimension]:
    sizes: dict[str, Dimension] = {}
    for names, value in zip(labels, inputs, strict=True):
        for name, size in zip(names, shape_of(value), strict=True):
            sizes[name] = _common(sizes.get(name, ONE), size)
    return sizes


def _common(one: Dimension, other: Dimension) -> Dimension:
    """Of two that are the same, unless one of them is 1."""
    if one == ONE or of_rows(other):
        return other
    if other == ONE or of_rows(one) or same(one, other):
        return one
    plain = [size for size in (one, other) if number(size) is not None]
    return plain[0] if plain else UNKNOWN


RULES: dict[str, Rule] = {"Einsum": summed}
