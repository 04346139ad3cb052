"""Numbers: ranges, NaN and infinity by dtype, and what is said of a value that does not fit."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

import numpy as np

from tfaas_core.errors import DoesNotFit
from tfaas_core.tensors import Array

_NOUNS = {
    str: "a string",
    bytes: "bytes",
    memoryview: "bytes",
    list: "a list",
    tuple: "a list",
    dict: "an object",
    datetime: "a timestamp",
}

NAN_HINT = '; "nan": "accept" in the params lets floats be NaN'
"""How the message about a NaN ends that a model does not accept."""


class WrongValue(Exception):
    """``index``: which value, counted through all rows, is not of the dtype."""

    def __init__(self, index: int) -> None:
        super().__init__(index)
        self.index = index


def check_finite(array: Array, accepts_nan: bool = False) -> None:
    """Raises WrongValue for the first infinity in an array of floats or complex numbers.

    And for the first NaN, unless ``accepts_nan``.
    """
    fits = ~np.isinf(array) if accepts_nan else np.isfinite(array)
    if np.count_nonzero(fits) != fits.size:
        raise WrongValue(int(np.argmin(fits)))


def rounded(array: Array, dtype: np.dtype[Any], accepts_nan: bool = False) -> Array:
    """The array in another dtype; raises WrongValue as ``check_finite`` does.

    The caller sees to it that nothing but the last digits of floats can be lost.
    """
    if array.dtype != dtype:
        with np.errstate(all="ignore"):
            array = array.astype(dtype)
    if dtype.kind in "fc":
        check_finite(array, accepts_nan)
    return array


def wrong_value(place: str, got: str, takes: str, model: str) -> DoesNotFit:
    """The error for the value at ``place``, which ``got`` describes."""
    hint = NAN_HINT if got in ("null", "NaN") and takes.startswith("numbers") else ""
    return DoesNotFit(
        f"{place} is {got}, model {model!r} takes {takes}{hint}",
        field=place,
        expected=takes,
        got=got,
        model=model,
    )


def describe(value: Any) -> str:
    """A value as messages call it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "infinite"
    if isinstance(value, int | float):
        return repr(value)
    return next((noun for kind, noun in _NOUNS.items() if isinstance(value, kind)), "an extension")


def cast(numbers: Array, dtype: np.dtype[Any], accepts_nan: bool = False) -> Array:
    """Floats or integers as an array of ``dtype``, floats or integers, of the same values.

    Only the last digits of floats may be lost. Raises WrongValue for the first number that the
    dtype cannot hold: one out of range, a fraction among integers, an infinity, and NaN, unless
    ``accepts_nan`` and it is a float.
    """
    if dtype.kind == "f":
        return rounded(numbers, dtype, accepts_nan)
    if numbers.dtype.kind == "f":
        return _whole(numbers, dtype)
    limits = np.iinfo(dtype)
    fits = (numbers >= limits.min) & (numbers <= limits.max)
    if not fits.all():
        raise WrongValue(int(np.argmin(fits)))
    return numbers.astype(dtype, copy=False)


def _whole(floats: Array, dtype: np.dtype[Any]) -> Array:
    limits = np.iinfo(dtype)
    with np.errstate(invalid="ignore"):  # a signalling NaN
        numbers = floats.astype(np.float64)
    # The largest float64 that an integer of 64 bits is below is one more than the largest.
    fits = (numbers >= limits.min) & (numbers < float(limits.max) + 1)
    fits &= np.rint(numbers) == numbers
    if not fits.all():
        raise WrongValue(int(np.argmin(fits)))
    return numbers.astype(dtype)


def range_of(dtype: np.dtype[Any]) -> str:
    """Which numbers a dtype of floats or integers takes, as messages say it."""
    if dtype.kind == "f":
        largest = f"{float(np.finfo(dtype).max):.8g}"
        return f"numbers from -{largest} to {largest}"
    limits = np.iinfo(dtype)
    return f"integers from {limits.min} to {limits.max}"
