"""Likeness: whether two answers to the same row are the same, but for rounding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfaas_core.tensors import Array, TensorSpec

_RELATIVE = 1e-3
_OF_LARGEST = 1e-6
_COARSE = {"float16": 20.0}
"""How many times as much is allowed to a dtype of few bits."""

LAST_BITS = 2.0**-20
"""A relative change of an input that is about as large as rounding."""

_PER_LAST_BITS = 10.0


class Likeness:
    """Compares answers to the rows of one pattern.

    Runs of other numbers of rows take other kernels, which round differently in the last bits. A
    number may therefore differ by a thousandth of itself; by a millionth of the largest that the
    same output has for any row of the pattern, which is what is left of rounding where large terms
    cancel out; and by ten times what changes in the last bits of the inputs do to it. Nothing else
    is absolute, so that rows mixed into small outputs are seen, too.
    """

    def __init__(self, specs: Sequence[TensorSpec], alone: Sequence[Sequence[Array]]) -> None:
        """``alone``: the outputs for each row by itself."""
        self._relative = [_RELATIVE * _COARSE.get(spec.dtype, 1.0) for spec in specs]
        self._floors = [
            _OF_LARGEST * _COARSE.get(spec.dtype, 1.0) * _largest([own[index] for own in alone])
            for index, spec in enumerate(specs)
        ]

    def same(
        self, own: Sequence[Array], other: Sequence[Array], slack: Sequence[Array] | None = None
    ) -> bool:
        """Whether two lists of outputs for one row are the same.

        ``slack``: see ``shaken``.
        """
        return all(
            one.shape == two.shape
            and self._close(index, one, two, None if slack is None else slack[index])
            for index, (one, two) in enumerate(zip(own, other, strict=True))
        )

    def _close(self, index: int, one: Array, two: Array, slack: Array | None) -> bool:
        equal = np.asarray(one == two) | (_is_nan(one) & _is_nan(two))
        if one.dtype.kind not in "fc":
            return bool(np.all(equal if slack is None else equal | (slack > 0)))
        one, two = _wide(one), _wide(two)
        with np.errstate(invalid="ignore"):
            allowed: Any = self._relative[index] * np.abs(one) + self._floors[index]
            if slack is not None:
                allowed = allowed + _PER_LAST_BITS * slack
            return bool(np.all(equal | (np.abs(one - two) <= allowed)))


def shaken(own: Sequence[Array], others: Sequence[Sequence[Array]]) -> list[Array]:
    """How far outputs are at most from those of runs whose inputs differ in the last bits."""
    return [
        np.max([_distance(one, other[index]) for other in others], axis=0)
        for index, one in enumerate(own)
    ]


def _distance(one: Array, other: Array) -> Array:
    if one.shape != other.shape:
        return np.full(one.shape, np.inf)
    if one.dtype.kind not in "fc":
        return np.asarray(one != other).astype(float)
    with np.errstate(invalid="ignore"):
        distance: Array = np.abs(_wide(one) - _wide(other))
    return np.where(np.isnan(distance) & ~(_is_nan(one) & _is_nan(other)), np.inf, distance)


def _largest(outputs: Sequence[Array]) -> float:
    """The largest finite magnitude; 0 if there is none."""
    found = 0.0
    for output in outputs:
        if output.dtype.kind in "fc":
            sizes = np.abs(_wide(output))
            found = max(found, float(np.max(sizes, initial=0.0, where=np.isfinite(sizes))))
    return found


def _is_nan(array: Array) -> Array:
    return np.isnan(array) if array.dtype.kind in "fc" else np.zeros(array.shape, bool)


def _wide(array: Array) -> Array:
    return array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)
