"""Ops that set the elements along an axis against each other, and keep the shape or nearly so."""

from __future__ import annotations

from collections.abc import Sequence

from tfaas_backends.runtimes.independence.dimensions import UNKNOWN
from tfaas_backends.runtimes.independence.interpreter import Rule
from tfaas_backends.runtimes.independence.node import Node
from tfaas_backends.runtimes.independence.rules.arguments import (
    constants,
    counted_axis,
    elements,
    moved,
    numbers,
    rows_of,
    shape_of,
)
from tfaas_backends.runtimes.independence.values import Constant, Mixes, Rows, Tensor, Value

_ALONG = {
    "Cumsum": "adds up the rows one after another",
    "Cumprod": "multiplies the rows one after another",
    "CumulativeLogsumexp": "adds up the rows one after another",
    "ReverseV2": "turns the order of the rows round",
}
_LAST = {
    "Softmax": "sets each row against the sum over all rows",
    "LogSoftmax": "sets each row against the sum over all rows",
}
_MATRICES = {
    "MatrixBandPart",
    "MatrixInverse",
    "Cholesky",
    "MatrixDeterminant",
    "MatrixDiagPart",
}
_WAVES = [f"{kind}FFT{axes}" for kind in ("", "I", "R", "IR") for axes in ("", "2D", "3D")]
_KEEPING = {"MatrixBandPart", "MatrixInverse", "Cholesky"}
_AGAINST = "computes with the rows as one axis of a matrix"


def along(node: Node, inputs: Sequence[Value]) -> Tensor:
    if isinstance(inputs[0], Constant):
        constants(inputs, "takes its axes from the rows")
        return Constant(inputs[0].shape)
    rows = rows_of(inputs[0])
    axes = {counted_axis(axis, len(rows.shape)) for axis in numbers(inputs[1])}
    if rows.axis in axes:
        raise Mixes(_ALONG[node.op])
    return rows


def rolled(node: Node, inputs: Sequence[Value]) -> Tensor:
    constants(inputs[1:], "moves what it holds by what is computed of rows")
    if isinstance(inputs[0], Constant):
        return Constant(inputs[0].shape)
    rows = rows_of(inputs[0])
    axes = {counted_axis(axis, len(rows.shape)) for axis in numbers(inputs[2])}
    if rows.axis in axes:
        raise Mixes("moves rows to the places of others")
    return rows


def last(node: Node, inputs: Sequence[Value]) -> Tensor:
    if isinstance(inputs[0], Constant):
        return Constant(inputs[0].shape)
    rows = rows_of(inputs[0])
    if rows.axis == len(rows.shape) - 1:
        raise Mixes(_LAST[node.op])
    return rows


def largest(node: Node, inputs: Sequence[Value]) -> tuple[Tensor, Tensor]:
    """TopK: the last axis becomes as long as is asked for."""
    rows = rows_of(inputs[0])
    if rows.axis == len(rows.shape) - 1:
        raise Mixes("sorts the rows")
    constants(inputs[1:], "takes as many as the rows say")
    size = elements(inputs[1])[0] or UNKNOWN
    result = moved(rows, (*rows.shape[:-1], size))
    return (result, result)


def within(node: Node, inputs: Sequence[Value]) -> Tensor:
    """Of the matrices in the last two axes, each by itself."""
    constants(inputs[1:], "bounds what is computed of rows by rows")
    if isinstance(inputs[0], Constant) and node.op in _KEEPING:
        return Constant(inputs[0].shape)
    rows = rows_of(inputs[0])
    if rows.axis >= len(rows.shape) - 2:
        raise Mixes(_AGAINST)
    if node.op == "MatrixDeterminant":
        return moved(rows, rows.shape[:-2])
    if node.op == "MatrixDiagPart":
        return moved(rows, (*rows.shape[:-2], UNKNOWN))
    return rows


def spread(node: Node, inputs: Sequence[Value]) -> Tensor:
    """MatrixDiag: of each vector in the last axis it makes a matrix."""
    if node.op != "MatrixDiag" and [numbers(value) for value in inputs[1:4]] != [
        (0,),
        (-1,),
        (-1,),
    ]:
        raise Mixes("has no rule but for the main diagonal")
    constants(inputs[1:], "fills up by what is computed of rows")
    if isinstance(inputs[0], Constant):
        shape = shape_of(inputs[0])
        return Constant((*shape, shape[-1]))
    rows = rows_of(inputs[0])
    if rows.axis == len(rows.shape) - 1:
        raise Mixes(_AGAINST)
    return moved(rows, (*rows.shape, rows.shape[-1]))


def reversed_each(node: Node, inputs: Sequence[Value]) -> Tensor:
    """ReverseSequence: each row by its own length."""
    rows = rows_of(inputs[0])
    rank = len(rows.shape)
    turned = counted_axis(node.attribute("seq_dim"), rank)
    batch = counted_axis(node.attribute("batch_dim"), rank)
    if turned == rows.axis:
        raise Mixes("turns the order of the rows round")
    lengths = inputs[1]
    if isinstance(lengths, Rows):
        same_order = (lengths.before, lengths.after) == (rows.before, rows.after)
        if batch != rows.axis or not same_order:
            raise Mixes("turns rows round by the lengths of others")
    elif not isinstance(lengths, Constant) or batch == rows.axis:
        raise Mixes("turns rows round by what are no lengths of rows")
    return rows


def normalised(node: Node, inputs: Sequence[Value]) -> Tensor:
    """LRN: by the neighbours along the last axis."""
    rows = rows_of(inputs[0])
    if rows.axis == len(rows.shape) - 1:
        raise Mixes("sets each row against its neighbours")
    return rows


def transformed(node: Node, inputs: Sequence[Value]) -> Tensor:
    """Fourier transforms along the last axes."""
    constants(inputs[1:], "takes its length from the rows")
    count = int(node.op[-2]) if node.op.endswith("D") else 1
    rows = rows_of(inputs[0])
    place = len(rows.shape) - count
    if rows.axis >= place:
        raise Mixes("transforms the rows into waves")
    if "R" not in node.op:
        return rows
    return moved(rows, (*rows.shape[:place], *(UNKNOWN,) * count))


def one_hot(node: Node, inputs: Sequence[Value]) -> Tensor:
    constants(inputs[1:], "takes its size or its marks from the rows")
    if not isinstance(inputs[0], Rows):
        shape, (size,) = shape_of(inputs[0]), elements(inputs[1])
        if isinstance(inputs[0], Constant) and size is not None:
            place = counted_axis(node.attribute("axis"), len(shape) + 1)
            return Constant((*shape[:place], size, *shape[place:]))
        raise Mixes("marks the number of rows")
    rows = inputs[0]
    place = counted_axis(node.attribute("axis"), len(rows.shape) + 1)
    size = elements(inputs[1])[0] if isinstance(inputs[1], Constant) else None
    shape = (*rows.shape[:place], UNKNOWN if size is None else size, *rows.shape[place:])
    return moved(rows, shape, rows.axis + (place <= rows.axis))


RULES: dict[str, Rule] = {
    **dict.fromkeys(_ALONG, along),
    "Roll": rolled,
    **dict.fromkeys(_LAST, last),
    "TopKV2": largest,
    **dict.fromkeys(_MATRICES, within),
    **dict.fromkeys(("MatrixDiag", "MatrixDiagV2", "MatrixDiagV3"), spread),
    "ReverseSequence": reversed_each,
    "LRN": normalised,
    "OneHot": one_hot,
    **dict.fromkeys(_WAVES, transformed),
}
