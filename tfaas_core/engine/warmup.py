"""Warm-up: the first, slow calls of a servable, and what they tell about it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import msgspec
import numpy as np

from tfaas_core.errors import DoesNotFit
from tfaas_core.runtime import Servable
from tfaas_core.tensors import Array, BatchAxis, Signature, TensorSpec

_FREE_SIZES = (1, 32, 256)
"""Tried in turn for the sizes, other than the batch axis, that a request chooses."""

_TOLERANCE = 1e-3
"""Relative. Batches of other sizes round differently in the last bits; a model whose rows mix
differs by far more."""

_log = logging.getLogger("tfaas.engine")


class Warmed(msgspec.Struct, frozen=True):
    """The signature, more exact now, and whether rows of different requests may share a run."""

    signature: Signature
    mergeable: bool


def warm(servable: Servable) -> Warmed:
    """Runs the servable until it is fast, and learns how its rows behave.

    Rows may share a run where a batch gives each row the answer that the row gets alone: this is
    tried, with two different rows. A model that does not answer two rows with two has no batch
    axis. One that merely refuses the made-up values is served all the same, each request by itself.
    Raises CannotServe where no values could be run.
    """
    signature = servable.signature
    inputs = _first_that_runs(servable)
    if inputs is None:
        _log.info("the made-up warm-up values do not run; the first request will be slower")
        return Warmed(signature, False)
    servable.tune(inputs)
    if signature.batch is not BatchAxis.FREE:
        return Warmed(signature, False)
    together = servable.run(inputs)
    if any(output.shape[:1] != (2,) for output in together):
        return Warmed(msgspec.structs.replace(signature, batch=BatchAxis.NONE), False)
    if servable.stateful:
        return Warmed(signature, False)
    return Warmed(signature, _rows_are_independent(servable, inputs, together))


def _first_that_runs(servable: Servable) -> list[Array] | None:
    for make in (_ramp, _zeros):
        for size in _FREE_SIZES if _has_free_sizes(servable.signature) else (1,):
            inputs = made_up_inputs(servable.signature, size, make)
            try:
                servable.run(inputs)
            except DoesNotFit as error:
                if error.code != DoesNotFit.code:
                    raise
                continue
            return inputs
    return None


def made_up_inputs(signature: Signature, size: int, make: Callable[[int], Array]) -> list[Array]:
    """Two rows (where the batch axis is free) of made-up values of the signature's dtypes.

    ``size`` stands in for every other size that a request chooses; an input of unknown rank gets
    one of rank 2. ``make(n)`` gives n numbers as float64.
    """
    rows = 2 if signature.batch is BatchAxis.FREE else 1
    return [_fill(spec, rows, size, make) for spec in signature.inputs]


def _fill(spec: TensorSpec, rows: int, size: int, make: Callable[[int], Array]) -> Array:
    dims = (rows, size) if spec.shape is None else spec.shape
    shape = [rows if axis == 0 else size if dim is None else dim for axis, dim in enumerate(dims)]
    if dims and dims[0] is not None:
        shape[0] = dims[0]
    values = make(int(np.prod(shape)))
    if spec.dtype == "string":
        return np.array([b"%d" % value for value in values] + [None], object)[:-1].reshape(shape)
    if spec.numpy_dtype.kind in "iu":
        values = values > 0.5
    return values.astype(spec.numpy_dtype).reshape(shape)


def _ramp(count: int) -> Array:
    return np.linspace(0.0, 1.0, count)


def _zeros(count: int) -> Array:
    return np.zeros(count)


def _has_free_sizes(signature: Signature) -> bool:
    return any(spec.shape is None or None in spec.shape[1:] for spec in signature.inputs)


def _rows_are_independent(
    servable: Servable, two_rows: Sequence[Array], together: Sequence[Array]
) -> bool:
    if all(np.array_equal(array[0], array[1]) for array in two_rows):
        return False  # equal rows, or none: their answers tell nothing
    try:
        alone = [servable.run([a[i : i + 1] for a in two_rows]) for i in range(2)]
    except DoesNotFit:
        return False
    return all(
        _same(output, [run[index] for run in alone]) for index, output in enumerate(together)
    )


def _same(together: Array, alone: Sequence[Array]) -> bool:
    if any(part.shape != (1, *together.shape[1:]) for part in alone):
        return False
    joined = np.concatenate(alone)
    if together.dtype.kind not in "fc":
        return bool(np.array_equal(joined, together))
    return bool(np.allclose(joined, together, rtol=_TOLERANCE, atol=_TOLERANCE, equal_nan=True))
