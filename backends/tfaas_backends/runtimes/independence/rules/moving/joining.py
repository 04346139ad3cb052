"""Ops that put tensors together, or take them apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tfaas_backends.runtimes.independence.dimensions import (
    ONE,
    UNKNOWN,
    Dimension,
    Shape,
    number,
    plus,
)
from tfaas_backends.runtimes.independence.interpreter import Rule
from tfaas_backends.runtimes.independence.node import Node
from tfaas_backends.runtimes.independence.rules.arguments import (
    alike,
    axis_of,
    counted_axis,
    is_counted,
    moved,
    numbers,
    rows_of,
    shape_of,
)
from tfaas_backends.runtimes.independence.rules.moving.picking import picked, places
from tfaas_backends.runtimes.independence.values import (
    Constant,
    Counted,
    Mixes,
    Rows,
    Tensor,
    Value,
    integers,
)


def concatenated(node: Node, inputs: Sequence[Value]) -> Tensor:
    """ConcatV2, whose axis comes last, and Concat, whose axis comes first."""
    parts, axis_input = (
        (inputs[1:], inputs[0]) if node.op == "Concat" else (inputs[:-1], inputs[-1])
    )
    tensors = [part for part in parts if isinstance(part, Constant | Counted | Rows)]
    rank = len(shape_of(tensors[0]))
    axis = axis_of(axis_input, rank)
    if not any(isinstance(tensor, Rows) for tensor in tensors):
        return _of_constants(tensors, axis)
    rows = alike(tensors)
    if rows.axis == axis:
        raise Mixes("puts rows behind rows")
    return moved(rows, _put_together([shape_of(tensor) for tensor in tensors], axis))


def _put_together(shapes: Sequence[Shape], axis: int) -> Shape:
    """The common shape of what is concatenated along an axis."""
    length: Dimension | None = Dimension(0)
    for shape in shapes:
        length = None if length is None else plus(length, shape[axis])
    if length is None:
        raise Mixes("puts rows behind what are no rows")
    common = list(shapes[0])
    for shape in shapes[1:]:
        for place, size in enumerate(shape):
            if number(common[place]) is None and size != common[place]:
                common[place] = size if number(size) is not None else UNKNOWN
    common[axis] = length
    return tuple(common)


def _of_constants(tensors: Sequence[Tensor], axis: int) -> Tensor:
    counted = is_counted(tensors)
    arrays = [places(tensor) for tensor in tensors]
    if any(array is None for array in arrays):
        shapes = [shape_of(tensor) for tensor in tensors]
        return Counted() if counted else Constant(_put_together(shapes, axis))
    return _moved_together(tensors, arrays, lambda parts: np.concatenate(parts, axis), counted)


def _moved_together(
    tensors: Sequence[Tensor],
    arrays: Sequence[Any],
    move: Callable[[Sequence[Any]], Any],
    counted: bool,
) -> Tensor:
    """What ``move`` makes of the elements of several tensors."""
    every = [e for t in tensors if isinstance(t, Constant | Counted) for e in t.elements or ()]
    starts = np.cumsum([0, *(array.size for array in arrays)])
    result = move([array + start for array, start in zip(arrays, starts, strict=False)])
    found = (every[int(place)] for place in result.ravel())
    return integers(tuple(map(Dimension, result.shape)), found, counted)


def packed(node: Node, inputs: Sequence[Value]) -> Tensor:
    tensors = [value for value in inputs if isinstance(value, Constant | Counted | Rows)]
    shapes = [shape_of(tensor) for tensor in tensors]
    axis = counted_axis(node.attribute("axis"), len(shapes[0]) + 1)
    if not any(isinstance(tensor, Rows) for tensor in tensors):
        return _packed_constants(tensors, axis)
    rows = alike(tensors)
    common = _put_together([(ONE, *shape) for shape in shapes], 0)[1:]
    new = (*common[:axis], Dimension(len(inputs)), *common[axis:])
    return moved(rows, new, rows.axis + (axis <= rows.axis))


def _packed_constants(tensors: Sequence[Tensor], axis: int) -> Tensor:
    counted = is_counted(tensors)
    if all(shape_of(tensor) == () for tensor in tensors):
        known = [t.elements for t in tensors if isinstance(t, Constant | Counted)]
        found = (
            UNKNOWN if isinstance(t, Constant) and not e else (e or (None,))[0]
            for t, e in zip(tensors, known, strict=True)
        )
        return integers((Dimension(len(tensors)),), found, counted)
    arrays = [places(tensor) for tensor in tensors]
    if any(array is None for array in arrays):
        shape = _put_together([(ONE, *shape_of(tensor)) for tensor in tensors], 0)[1:]
        new = (*shape[:axis], Dimension(len(tensors)), *shape[axis:])
        return Counted() if counted else Constant(new)
    return _moved_together(tensors, arrays, lambda parts: np.stack(parts, axis), counted)


def unpacked(node: Node, inputs: Sequence[Value]) -> tuple[Tensor, ...]:
    shape = shape_of(inputs[0])
    axis = counted_axis(node.attribute("axis"), len(shape))
    count = int(node.attribute("num"))
    new = (*shape[:axis], *shape[axis + 1 :])
    if isinstance(inputs[0], Rows):
        if inputs[0].axis == axis:
            raise Mixes("takes the rows apart")
        rows = inputs[0]
        return (moved(rows, new, rows.axis - (axis < rows.axis)),) * count
    other = Counted() if isinstance(inputs[0], Counted) else Constant(new)
    return tuple(_taken(inputs[0], i, axis) or other for i in range(count))


def _taken(value: Value, place: int, axis: int) -> Tensor | None:
    return picked(value, lambda array: array.take(place, axis))


def split(node: Node, inputs: Sequence[Value]) -> tuple[Tensor, ...]:
    """Split: the axis comes first."""
    shape = shape_of(inputs[1])
    axis, count = axis_of(inputs[0], len(shape)), int(node.attribute("num_split"))
    length = number(shape[axis])
    part = UNKNOWN if length is None else Dimension(length // count)
    return _split(inputs[1], axis, [part] * count)


def split_unevenly(node: Node, inputs: Sequence[Value]) -> tuple[Tensor, ...]:
    """SplitV: tensor, sizes, axis."""
    shape = shape_of(inputs[0])
    axis = axis_of(inputs[2], len(shape))
    sizes = list(numbers(inputs[1]))
    length = number(shape[axis])
    known = sum(size for size in sizes if size >= 0)
    rest = UNKNOWN if length is None else Dimension(length - known)
    return _split(inputs[0], axis, [Dimension(n) if n >= 0 else rest for n in sizes])


def _split(value: Value, axis: int, lengths: Sequence[Dimension]) -> tuple[Tensor, ...]:
    shape = shape_of(value)
    shapes = [(*shape[:axis], length, *shape[axis + 1 :]) for length in lengths]
    if isinstance(value, Constant):
        return tuple(map(Constant, shapes))
    rows = rows_of(value, "takes apart what depends on the number of rows")
    if rows.axis == axis:
        raise Mixes("takes the rows apart")
    return tuple(moved(rows, new) for new in shapes)


RULES: dict[str, Rule] = {
    **dict.fromkeys(("Concat", "ConcatV2"), concatenated),
    "Pack": packed,
    "Unpack": unpacked,
    "Split": split,
    "SplitV": split_unevenly,
}
