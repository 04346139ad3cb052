"""Output shapes: those that a model's file does not tell, learnt by running zeros."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle

import msgspec

from tfaas_core.engine.in_model_process.warming.made_up import (
    Make,
    Run,
    made_up_inputs,
    ramp,
    zeros,
)
from tfaas_core.errors import CannotServe, DoesNotFit, Unavailable
from tfaas_core.tensors import BatchAxis, Signature

_TRIED_ROWS = (1, 2)
_TRIED_SIZES = (1, 32)


def are_unknown(signature: Signature) -> bool:
    """Whether the first axis of outputs is the rows of a free batch axis, as far as is known."""
    return signature.batch is BatchAxis.FREE and any(
        spec.shape is None and not spec.constant for spec in signature.outputs
    )


def learnt(signature: Signature, run: Run) -> Signature | None:
    """The signature, the unknown shapes of its outputs being those that runs show.

    None if these do not begin with the rows, or nothing runs. Raises CannotServe as runs do.
    """
    has_free_sizes = any(None in (spec.shape or ())[1:] for spec in signature.inputs)
    sizes = _TRIED_SIZES if has_free_sizes else _TRIED_SIZES[:1]
    for make in (zeros, ramp):
        runs = [s for size in sizes if (s := _shapes_of_runs(signature, size, make, run))]
        if runs:
            return _with_shapes(signature, runs, fixed=len(runs) == len(sizes))
    return None


def _with_shapes(
    signature: Signature, runs: Sequence[Sequence[Sequence[tuple[int, ...]]]], fixed: bool
) -> Signature | None:
    seen = zip(*(shapes for by_rows in runs for shapes in by_rows), strict=True)
    outputs = []
    for spec, shapes in zip(signature.outputs, seen, strict=True):
        shape = spec.shape
        if shape is None and not spec.constant:
            shape = _common(shapes, fixed)
            if shape is None:
                return None
        outputs.append(msgspec.structs.replace(spec, shape=shape))
    return msgspec.structs.replace(signature, outputs=tuple(outputs))


def _shapes_of_runs(
    signature: Signature, size: int, make: Make, run: Run
) -> list[list[tuple[int, ...]]]:
    """The outputs' shapes in a run of one row and one of two; none if one of them fails."""
    found = []
    for rows in _TRIED_ROWS:
        try:
            outputs = run(made_up_inputs(signature, rows, size, make))
        except CannotServe:
            raise
        except (DoesNotFit, Unavailable, MemoryError, ValueError):  # absurd sizes: NumPy's errors
            return []
        found.append([output.shape for output in outputs])
    return found


def _common(shapes: Sequence[tuple[int, ...]], fixed: bool) -> tuple[int | None, ...] | None:
    """The shape that all have, None for the sizes that differ.

    ``shapes`` are of runs of one row and of two, in turn. None if they differ in rank, or do
    not begin with the rows. Unless ``fixed``, a size that never differed still may.
    """
    if len({len(shape) for shape in shapes}) != 1:
        return None
    if any(shape[:1] != (rows,) for shape, rows in zip(shapes, cycle(_TRIED_ROWS))):
        return None
    inner = zip(*(shape[1:] for shape in shapes), strict=True)
    return (None, *(sizes[0] if fixed and len(set(sizes)) == 1 else None for sizes in inner))
