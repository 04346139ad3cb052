"""Shapes: those of what nodes give, as far as they come of shapes and a few numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from operator import index as as_index
from typing import Any, TypeAlias

import msgspec
import numpy as np

from tfaas_backends.runtimes.vetting.arithmetic import ELEMENTWISE, SAME, Values

_Rule: TypeAlias = Callable[[Values, Any], Sequence[int]]


class Shaped(msgspec.Struct, frozen=True):
    """A tensor of which the shape alone is known, in the place of an array."""

    shape: tuple[int, ...]

    @classmethod
    def of(cls, shape: Sequence[int]) -> Shaped:
        """Raises ValueError if that is none."""
        if min(shape, default=0) < 0:
            raise ValueError("a size is below zero")
        return cls(tuple(map(as_index, shape)))

    @property
    def size(self) -> int:
        """How many elements it has."""
        return math.prod(self.shape)


def _told(number: int) -> _Rule:
    """The shape is what this input says."""
    return lambda given, _attributes: list(given[number].flat)


def _broadcast(given: Values, _attributes: Any) -> Sequence[int]:
    """Of any size, other than numpy has it."""
    shapes = [value.shape for value in given]
    rank = max(map(len, shapes))
    padded = [(1,) * (rank - len(shape)) + shape for shape in shapes]
    return [_common({*sizes} - {1}) for sizes in zip(*padded, strict=True)]


def _common(sizes: set[int]) -> int:
    if len(sizes) > 1:
        raise ValueError("sizes differ")
    return next(iter(sizes), 1)


def _reshaped(given: Values, _attributes: Any) -> Sequence[int]:
    value, sizes = given[0], [as_index(size) for size in given[1].flat]
    if -1 in sizes:
        sizes[sizes.index(-1)] = value.size // -math.prod(sizes)
    return sizes


def _multiplied(transposing: tuple[str, str]) -> _Rule:
    """Of matrices; those attributes say which of both are transposed."""

    def rule(given: Values, attributes: Any) -> Sequence[int]:
        (*rows_of, rows, inner), (*columns_of, other, columns) = (value.shape for value in given)
        if attributes[transposing[0]].b:
            rows = inner
        if attributes[transposing[1]].b:
            columns = other
        return *np.broadcast_shapes(tuple(rows_of), tuple(columns_of)), rows, columns

    return rule


def _repeated(given: Values, _attributes: Any) -> Sequence[int]:
    return [size * as_index(many) for size, many in zip(given[0].shape, given[1], strict=True)]


def _deeper(given: Values, _attributes: Any) -> Sequence[int]:
    sizes, axis = [*given[0].shape], as_index(given[1].item())
    sizes.insert(axis if axis >= 0 else len(sizes) + 1 + axis, 1)
    return sizes


PRODUCTS: Mapping[str, _Rule] = {
    **dict.fromkeys(("Add", "AddV2", "Sub", "Mul", "Maximum", "Minimum", "Pow"), _broadcast),
    **dict.fromkeys(("RealDiv", "Div", "SquaredDifference", "SelectV2"), _broadcast),
    "MatMul": _multiplied(("transpose_a", "transpose_b")),
    **dict.fromkeys(
        ("BatchMatMul", "BatchMatMulV2", "BatchMatMulV3"), _multiplied(("adj_x", "adj_y"))
    ),
}
"""Of ops that may make much of little: of a column and a row."""

TOLD: Mapping[str, _Rule] = {
    **dict.fromkeys(("Fill", "Empty", "RandomUniform", "RandomStandardNormal"), _told(0)),
    "BroadcastTo": _told(1),
}
"""Of ops that need not know all of their inputs for it, as those others of ``SHAPES`` do."""

SHAPES: Mapping[str, _Rule] = {
    **dict.fromkeys((*SAME, *ELEMENTWISE, "Cast", "ZerosLike", "OnesLike"), _broadcast),
    **PRODUCTS,
    **TOLD,
    "Reshape": _reshaped,
    "ExpandDims": _deeper,
    "Transpose": lambda given, _attributes: [given[0].shape[axis] for axis in given[1].flat],
    "Tile": _repeated,
}
"""Of what these ops give."""
