"""Arithmetic with sizes: elements of integer tensors that are known, or known by their symbols."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import repeat
from typing import Any

from tfaas_backends.runtimes.independence.dimensions import (
    ONE,
    ZERO,
    Dimension,
    is_unknown,
    number,
    of_rows,
    over,
    plus,
    same,
    term,
    times,
)
from tfaas_backends.runtimes.independence.node import Node
from tfaas_backends.runtimes.independence.values import Constant, Counted, Elements, Value
from tfaas_backends.runtimes.tensorflow.private import dtypes

_LARGEST = 2**31 - 1
Known = Dimension
Fold = Callable[..., Dimension | None]


def folded(node: Node, inputs: Sequence[Value]) -> Elements | None:
    """The elements of what an element-wise op computes, if they are known."""
    fold = _folds(node)
    if fold is None:
        return None
    columns = [_column(value) for value in inputs]
    lengths = {len(column) for column in columns if column is not None} - {1}
    if None in columns or len(lengths) > 1 or not _same_shapes(inputs):
        return None
    count = lengths.pop() if lengths else 1
    stretched = (repeat(c[0], count) if len(c) == 1 else c for c in columns if c is not None)
    return tuple(_bounded(_of(fold, parts)) for parts in zip(*stretched, strict=False))


def _column(value: Value) -> Elements | None:
    return value.elements if isinstance(value, Constant | Counted) else None


def _same_shapes(inputs: Sequence[Value]) -> bool:
    """Whether all are of one shape, but for single elements of no more axes."""
    shapes = {
        v.shape for v in inputs if isinstance(v, Constant | Counted) and len(v.elements or ()) != 1
    }
    ranks = [len(v.shape or ()) for v in inputs if isinstance(v, Constant | Counted)]
    single = len(shapes) == 0
    return len(shapes) <= 1 and (single or max(ranks) == max(len(s or ()) for s in shapes))


def _of(fold: Fold, parts: Sequence[Dimension | None]) -> Dimension | None:
    if any(part is None for part in parts):
        return None
    return fold(*parts)


def _bounded(element: Dimension | None) -> Dimension | None:
    if element is None or abs(element.coefficient) > _LARGEST:
        return None
    return element


def _folds(node: Node) -> Fold | None:
    if node.op == "Cast":
        return _CASTS.get(node.attribute("DstT"))
    return _FOLDS.get(node.op)


def minus(one: Dimension, other: Dimension) -> Dimension | None:
    return plus(one, times(other, Dimension(-1)))


def divided(one: Dimension, other: Dimension) -> Dimension | None:
    """Rounded down."""
    exact = over(one, other)
    if exact is not None:
        return exact
    if number(one) is not None and number(other):
        return Dimension(one.coefficient // other.coefficient)
    if of_rows(one) or of_rows(other) or other == ZERO:
        return None
    return term("floordiv", one, other)


def _plainly(function: Callable[..., Any]) -> Fold:
    """Of plain numbers alone."""

    def fold(*parts: Dimension) -> Dimension | None:
        plain = [number(part) for part in parts]
        return None if None in plain else Dimension(int(function(*plain)))

    return fold


def _equal(one: Dimension, other: Dimension) -> Dimension | None:
    if same(one, other):
        return ONE
    return ZERO if number(one) is not None and number(other) is not None else None


def _unequal(one: Dimension, other: Dimension) -> Dimension | None:
    equal = _equal(one, other)
    return None if equal is None else Dimension(1 - equal.coefficient)


def _chosen(condition: Dimension, one: Dimension, other: Dimension) -> Dimension | None:
    if number(condition) is None:
        return one if same(one, other) else None
    return one if condition.coefficient else other


def _extreme(name: str, function: Callable[..., int]) -> Fold:
    def fold(one: Dimension, other: Dimension) -> Dimension | None:
        if one == other and not is_unknown(one):
            return one
        if number(one) is not None and number(other) is not None:
            return Dimension(function(one.coefficient, other.coefficient))
        if of_rows(one) or of_rows(other):
            return None
        return term(name, *sorted((one, other)))

    return fold


def _remainder(one: Dimension, other: Dimension) -> Dimension | None:
    if over(one, other) is not None:
        return ZERO
    return _plainly(lambda a, b: a % b)(one, other) if other.coefficient else None


_CASTS: dict[int, Fold] = {
    dtypes.int32.as_datatype_enum: lambda x: x,
    dtypes.int64.as_datatype_enum: lambda x: x,
    dtypes.bool.as_datatype_enum: _plainly(bool),
}
_FOLDS: dict[str, Fold] = {
    **dict.fromkeys(("Add", "AddV2"), plus),
    "Sub": minus,
    "Mul": times,
    "FloorDiv": divided,
    "FloorMod": _remainder,
    "Neg": lambda x: times(x, Dimension(-1)),
    "Maximum": _extreme("max", max),
    "Minimum": _extreme("min", min),
    "Equal": _equal,
    "NotEqual": _unequal,
    "Less": _plainly(lambda a, b: a < b),
    "LessEqual": _plainly(lambda a, b: a <= b),
    "Greater": _plainly(lambda a, b: a > b),
    "GreaterEqual": _plainly(lambda a, b: a >= b),
    "LogicalAnd": _plainly(lambda a, b: a and b),
    "LogicalOr": _plainly(lambda a, b: a or b),
    "LogicalNot": _plainly(lambda a: not a),
    **dict.fromkeys(("Select", "SelectV2"), _chosen),
    **dict.fromkeys(("StopGradient", "Snapshot", "PreventGradient"), lambda x: x),
}
