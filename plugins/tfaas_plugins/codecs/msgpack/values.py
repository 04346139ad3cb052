"""The values of one input as MessagePack gives them, nested or packed, to an array."""

from __future__ import annotations

from math import isfinite
from typing import Any

import numpy as np

from tfaas_core.errors import DoesNotFit
from tfaas_core.tensors import Array, show_shape
from tfaas_core.values.numbers import WrongValue, check_finite, describe, rounded, wrong_value
from tfaas_plugins.codecs.msgpack.packed import is_packed, unpack
from tfaas_plugins.codecs.values.leaves import Leaves, Numbers, NumbersOrNan, Strings, leaves_for
from tfaas_plugins.codecs.values.lists import Reading, fits
from tfaas_plugins.codecs.values.number_lists import NumberListsReader

_FEW = 256
"""Up to as many numbers are sooner added up, to see whether all are finite."""


class FiniteNumbers(Numbers):
    """Floats and complex numbers. MessagePack can spell NaN and infinities, JSON cannot."""

    def array(self, rows: list[list[Any]], shape: tuple[int, ...], booleans: bool) -> Array:
        array = super().array(rows, shape, booleans)
        if not _are_finite(rows, array):
            check_finite(array.view(self._dtype) if self.pair else array)
        return array

    def vectors(self, rows: list[list[Any]], length: int, booleans: bool) -> Array | None:
        array = super().vectors(rows, length, booleans)
        return array if array is not None and _are_finite(rows, array) else None


def _are_finite(rows: list[list[Any]], array: Array) -> bool:
    """Whether all numbers are finite, by a cheap look; False if that does not tell."""
    if array.size <= _FEW:
        return isfinite(sum(map(sum, rows)))
    return array.dtype.kind == "f" and bool(np.isfinite(array).all())


class FiniteNumbersOrNan(NumbersOrNan):
    """Floats and complex numbers, or NaN if one is missing."""

    def array(self, rows: list[list[Any]], shape: tuple[int, ...], booleans: bool) -> Array:
        array = super().array(rows, shape, booleans)
        check_finite(array.view(self._dtype) if self.pair else array, accepts_nan=True)
        return array

    def vectors(self, rows: list[list[Any]], length: int, booleans: bool) -> Array | None:
        array = super().vectors(rows, length, booleans)
        return None if array is None or np.isinf(array).any() else array


class BinaryStrings(Strings):
    """Strings, and bytes as bin."""

    def takes(self, leaf: Any) -> str:
        return "strings or bin"


class MsgpackReader(NumberListsReader):
    """Reads nested lists as a ListReader, NumberLists, and packed arrays.

    A packed array of as many axes as a row is one row; of one more, a batch.
    """

    def make_leaves(self) -> Leaves:
        dtype = self.spec.numpy_dtype
        if dtype.kind in "fc":
            return FiniteNumbersOrNan(dtype) if self.accepts_nan else FiniteNumbers(dtype)
        return BinaryStrings() if dtype.kind == "O" else leaves_for(self.spec)

    def read_other(self, values: Any, name: str, booleans: bool) -> Reading:
        if not is_packed(values):
            return super().read_other(values, name, booleans)
        sent = unpack(values, name)
        single = self._is_one_row(sent, name)
        array = self._cast(sent, name)
        return Reading(array[np.newaxis] if single and self.batched else array, single)

    def _is_one_row(self, array: Array, name: str) -> bool:
        row = self.row_shape
        if row is None:
            single = not self.batched or array.ndim < 2
        else:
            single = array.ndim == len(row)
            if not fits(array.shape if single or not self.batched else array.shape[1:], row):
                raise self._misshapen_array(array, name, self._shapes(row))
        return single

    def _shapes(self, row: tuple[int | None, ...]) -> str:
        batch = f", or {show_shape((None, *row))} for a batch" if self.batched else ""
        return show_shape(row) + batch

    def _cast(self, array: Array, name: str) -> Array:
        """The array in the input's dtype: floats rounded, all else only if nothing is lost."""
        dtype = self.spec.numpy_dtype
        if not _can_cast(array.dtype, dtype):
            raise self._wrong_dtype(array, name)
        try:
            return rounded(array, dtype, self.accepts_nan)
        except WrongValue as bad:
            raise self._wrong_element(array, name, bad.index) from None

    def _wrong_element(self, array: Array, name: str, index: int) -> DoesNotFit:
        element = array.flat[index].item()
        place = name + "".join(f"[{i}]" for i in np.unravel_index(index, array.shape))
        got = str(element) if isinstance(element, complex) else describe(element)
        return wrong_value(place, got, self._leaves.takes(0.0), self._model)

    def _wrong_dtype(self, array: Array, name: str) -> DoesNotFit:
        dtype = self.spec.numpy_dtype
        how = "send lists" if dtype.kind == "O" else f"pack it as {dtype.str!r} or send lists"
        got, expected = array.dtype.name, self.spec.dtype
        return DoesNotFit(
            f"{name} is packed as {got}, model {self._model!r} takes {expected}; {how}",
            field=name,
            expected=expected,
            got=got,
            model=self._model,
        )

    def _misshapen_array(self, array: Array, name: str, expected: str) -> DoesNotFit:
        got = show_shape(array.shape)
        return DoesNotFit(
            f"{name} has shape {got}, model {self._model!r} takes {expected}",
            field=name,
            expected=expected,
            got=got,
            model=self._model,
        )


def _can_cast(given: np.dtype[Any], dtype: np.dtype[Any]) -> bool:
    if given.kind == "b" or dtype.kind in "bO":
        return given == dtype
    return np.can_cast(given, dtype) or (given.kind == dtype.kind and dtype.kind in "fc")
