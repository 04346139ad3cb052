"""A graph's signature: its tensors as a client sees them, and what their first axis is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import cycle
from typing import Any, TypeAlias

import numpy as np

from tfaas_backends.graph_nodes import dtype_of, name_of
from tfaas_core.errors import CannotServe, DoesNotFit, Unavailable
from tfaas_core.tensors import NUMPY_DTYPES, Array, BatchAxis, Signature, TensorSpec

Run: TypeAlias = Callable[[Sequence[Array]], list[Array]]
Shape: TypeAlias = tuple[int | None, ...]

_TRIED_ROWS = (1, 2)
_TRIED_SIZES = (1, 32)


def spec_of(tensor: Any, field: str) -> TensorSpec:
    """The tensor as a client sees it.

    Raises CannotServe where arrays of its dtype cannot be sent; ``field``: the params' that names
    such tensors.
    """
    dtype = dtype_of(tensor)
    if dtype not in NUMPY_DTYPES:
        raise CannotServe(
            f"node {name_of(tensor)!r} holds {dtype}, of which no request or answer can hold any:"
            f" name other nodes in params.{field}",
            field=field,
        )
    shape = None if tensor.shape.rank is None else tuple(tensor.shape.as_list())
    return TensorSpec(name_of(tensor), dtype, shape)


def first_names(tensors: Iterable[Any], shapes: Iterable[Any] = ()) -> set[str]:
    """The names that the model gives to the first sizes of placeholders, where it names any.

    ``shapes``: what else tells their shapes, TensorShapeProtos or Nones.
    """
    told = [t.op.node_def.attr["shape"].shape for t in tensors if "shape" in t.op.node_def.attr]
    told += [shape for shape in shapes if shape is not None]
    return {shape.dim[0].name for shape in told if shape.dim} - {""}


def signature_of(
    inputs: Sequence[TensorSpec],
    outputs: Sequence[TensorSpec],
    run: Run,
    axis: BatchAxis | None = None,
    names: Collection[str] = (),
) -> Signature:
    """The signature, its batch axis the one that the params give, or else told by the shapes.

    Where they do not tell, because an output's rank is unknown, by running zeros. ``names`` are
    those of the inputs' first sizes: where they differ, so may the sizes. Raises CannotServe where
    the shapes do not allow ``axis``.
    """
    if axis is not None:
        _check(axis, inputs, outputs)
        return Signature(tuple(inputs), tuple(outputs), axis)
    if _all_begin_with(None, inputs) and len(names) < 2:
        learnt = outputs
        if any(spec.shape is None for spec in outputs):
            learnt = _learnt(inputs, outputs, run)
        if _all_begin_with(None, _varying(learnt)):
            return Signature(tuple(inputs), tuple(learnt), BatchAxis.FREE)
    one = _all_begin_with(1, inputs) and _all_begin_with(1, _varying(outputs))
    return Signature(tuple(inputs), tuple(outputs), BatchAxis.ONE if one else BatchAxis.NONE)


def _all_begin_with(size: int | None, specs: Sequence[TensorSpec]) -> bool:
    return all(spec.shape and spec.shape[0] == size for spec in specs)


def _varying(outputs: Sequence[TensorSpec]) -> list[TensorSpec]:
    return [spec for spec in outputs if not spec.constant]


def _check(axis: BatchAxis, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> None:
    allowed = {BatchAxis.FREE: (None,), BatchAxis.ONE: (1, None)}.get(axis)
    if allowed is None:
        return
    sides = [("input", spec) for spec in inputs] + [("output", s) for s in _varying(outputs)]
    for side, spec in sides:
        if spec.shape is not None and (not spec.shape or spec.shape[0] not in allowed):
            first = "1 or a free size" if axis is BatchAxis.ONE else "a free size"
            raise CannotServe(
                f'params.batch.axis is "{axis}", but {side} {spec.name!r} is {spec}: its shape does'
                f" not begin with {first}",
                field="batch.axis",
            )


def _learnt(
    inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], run: Run
) -> Sequence[TensorSpec]:
    """The outputs with the shapes that runs of zeros have; unchanged where none runs."""
    has_free_sizes = any(None in (spec.shape or ())[1:] for spec in inputs)
    sizes = _TRIED_SIZES if has_free_sizes else _TRIED_SIZES[:1]
    runs = [shapes for size in sizes if (shapes := _shapes_of_runs(inputs, size, run))]
    if not runs:
        return outputs
    seen = zip(*(shapes for by_rows in runs for shapes in by_rows), strict=True)
    fixed = len(runs) == len(sizes)
    return [
        TensorSpec(spec.name, spec.dtype, spec.shape or _common(shapes, fixed))
        for spec, shapes in zip(outputs, seen, strict=True)
    ]


def _shapes_of_runs(
    inputs: Sequence[TensorSpec], size: int, run: Run
) -> list[list[tuple[int, ...]]]:
    """The outputs' shapes in a run of one row and one of two; none where one of them fails."""
    found = []
    for rows in _TRIED_ROWS:
        try:
            found.append([a.shape for a in run([_zeros(spec, rows, size) for spec in inputs])])
        except CannotServe:
            raise
        except (DoesNotFit, Unavailable, MemoryError, ValueError):  # absurd sizes: NumPy's errors
            return []
    return found


def _zeros(spec: TensorSpec, rows: int, size: int) -> Array:
    shape = [rows, *(size if dim is None else dim for dim in (spec.shape or ())[1:])]
    if spec.dtype == "string":
        return np.full(shape, b"", object)
    return np.zeros(shape, spec.numpy_dtype)


def _common(shapes: Sequence[tuple[int, ...]], fixed: bool) -> Shape | None:
    """The shape that all have, None for the sizes that differ.

    ``shapes`` are of runs of one row and of two, in turn. None where they differ in rank, or do
    not begin with the rows. Unless ``fixed``, a size that never differed still may.
    """
    if len({len(shape) for shape in shapes}) != 1:
        return None
    if any(shape[:1] != (rows,) for shape, rows in zip(shapes, cycle(_TRIED_ROWS))):
        return None
    inner = zip(*(shape[1:] for shape in shapes), strict=True)
    return (None, *(sizes[0] if fixed and len(set(sizes)) == 1 else None for sizes in inner))
