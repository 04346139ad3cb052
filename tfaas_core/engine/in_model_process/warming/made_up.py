"""Made-up values: inputs that no client sent, to run a servable on."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import numpy as np

from tfaas_core.tensors import Array, BatchAxis, Signature, TensorSpec

Make: TypeAlias = Callable[[int, int], Array]
"""Makes so many rows of so many numbers, float64 [rows, numbers]."""

Run: TypeAlias = Callable[[Sequence[Array]], list[Array]]
"""Runs a servable, as ``Servable.run`` does."""

MOST_VALUES = 2**27
"""In one input: 1 GiB while they are made. Several sizes that a request chooses soon take more."""

_FREE_SIZES = (1, 32, 256)
"""Tried in turn for the sizes, other than the batch axis, that a request chooses."""


def guesses(signature: Signature) -> Iterator[tuple[int, list[Array]]]:
    """Inputs of two rows (if the batch axis is free) that may run, the likeliest first.

    With each comes the size that stands in for every other one that a request chooses. Left out
    are those for which there is no memory.
    """
    rows = 2 if signature.batch is BatchAxis.FREE else 1
    for make in (ramp, zeros):
        for size in _FREE_SIZES if has_free_sizes(signature) else (1,):
            try:
                inputs = made_up_inputs(signature, rows, size, make)
            except MemoryError:
                continue
            yield size, inputs


def made_up_inputs(signature: Signature, rows: int, size: int, make: Make) -> list[Array]:
    """Values of the signature's dtypes; first axes that are free, or no axis at all, get ``rows``.

    ``size`` stands in for every other size that a request chooses; an input of unknown rank gets
    one of rank 2. Raises MemoryError if there would be too many values.
    """
    return [_fill(spec, rows, size, make) for spec in signature.inputs]


def has_free_sizes(signature: Signature) -> bool:
    """Whether a request chooses more of the inputs' sizes than the number of its rows."""
    return any(spec.shape is None or None in spec.shape[1:] for spec in signature.inputs)


def ramp(rows: int, count: int) -> Array:
    """From 0 to 1."""
    return np.linspace(0.0, 1.0, rows * count).reshape(rows, count)


def zeros(rows: int, count: int) -> Array:
    """Zeros alone."""
    return np.zeros((rows, count))


def _fill(spec: TensorSpec, rows: int, size: int, make: Make) -> Array:
    dims = (rows, size) if spec.shape is None else spec.shape
    shape = [size if dim is None else dim for dim in dims]
    if dims and dims[0] is None:
        shape[0] = rows
    if math.prod(shape) > MOST_VALUES:
        raise MemoryError(f"{math.prod(shape)} values of input {spec.name!r} are too many")
    values = make(shape[0] if shape else 1, math.prod(shape[1:])).reshape(-1)
    return _of_dtype(values, spec).reshape(shape)


def _of_dtype(values: Array, spec: TensorSpec) -> Array:
    if spec.dtype == "string":
        return np.array([*map(_text, values), None], object)[:-1]
    if spec.dtype == "bool":
        return values > np.median(values) if values.size else values.astype(bool)
    if spec.numpy_dtype.kind in "iu":
        limits = np.iinfo(spec.numpy_dtype)
        values = np.clip(np.rint(values), max(limits.min, -(2**53)), min(limits.max, 2**53))
    with np.errstate(over="ignore"):
        return values.astype(spec.numpy_dtype)


def _text(value: float) -> bytes:
    """A number as text, followed by more words the larger it is."""
    words = int(min(abs(value), 1e4)) % 5
    return b" ".join([b"%d" % value, *[b"w%d" % word for word in range(words)]])
