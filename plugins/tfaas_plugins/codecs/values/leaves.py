"""Lists of values to arrays of one dtype, and the first value that is not of it."""

from __future__ import annotations

import math
import struct
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import starmap
from typing import Any

import numpy as np

from tfaas_core.tensors import Array, TensorSpec
from tfaas_core.texts.base64_text import decode_base64
from tfaas_core.values.numbers import WrongValue, describe, range_of
from tfaas_core.values.pieces import AT_ONCE, array_from, bytes_of, chained, kinds, pieces

_CODES = {
    "float16": "e",
    "float32": "f",
    "float64": "d",
    "complex64": "f",
    "complex128": "d",
    "int8": "b",
    "int16": "h",
    "int32": "i",
    "int64": "q",
    "uint8": "B",
    "uint16": "H",
    "uint32": "I",
    "uint64": "Q",
}
"""``struct``'s code of each dtype; of a complex one, that of its two parts."""


_SPELLS_NAN = {type(None), str}

_WORTH_PACKING = 6
"""Shorter rows take longer to pack one by one than to be joined before."""


class Leaves(ABC):
    """Makes arrays of one dtype."""

    noun: str
    """What elements of an array are called, in the plural."""

    pair = False
    """Whether one element is spelt as a list of two values."""

    @abstractmethod
    def array(self, rows: list[list[Any]], shape: tuple[int, ...], booleans: bool) -> Array:
        """A new C-contiguous array of the values in ``rows``, which are equally long.

        There are as many values as ``shape`` asks for. ``booleans``: whether a true or false may be
        among them. Raises WrongValue.
        """

    def takes(self, leaf: Any) -> str:
        """What is taken instead of ``leaf``."""
        return self.noun

    def describe(self, leaf: Any) -> str:
        """What ``leaf`` is, which is not taken."""
        return describe(leaf)


class Numbers(Leaves):
    """Floats, integers, and complex numbers as pairs ``[re, im]``."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.pair = dtype.kind == "c"
        self._result = dtype
        self._dtype = np.zeros(0, dtype).real.dtype
        self._code = _CODES[dtype.name]
        self.noun = {"c": "[re, im] pairs", "f": "numbers"}.get(dtype.kind, "integers")

    def array(self, rows: list[list[Any]], shape: tuple[int, ...], booleans: bool) -> Array:
        pieces = rows if rows and len(rows[0]) >= _WORTH_PACKING else [chained(rows)]
        packed = self._packed(pieces, len(pieces[0]), booleans)
        if packed is None:
            raise WrongValue(self._first_bad(chained(rows), booleans))
        array: Array = np.ndarray(shape, self._dtype, packed)
        return array.view(self._result).reshape(shape[:-1]) if self.pair else array

    def vectors(self, rows: list[list[Any]], length: int, booleans: bool) -> Array | None:
        """A new array [rows, length]; None if not every row, if it is one, is as many numbers.

        ``booleans``: as for ``array``. Not for dtypes that are spelt as pairs.
        """
        if len(rows) > 1 and length < _WORTH_PACKING:
            return None
        packed = self._packed(rows, length, booleans)
        return None if packed is None else np.ndarray((len(rows), length), self._dtype, packed)

    def filled(self, values: list[Any], shape: tuple[int, ...], booleans: bool) -> Array | None:
        """An array of ``shape`` that nobody can write to, of as many values, in C order.

        None if they are no numbers of this dtype. ``booleans``: as for ``array``. Not for dtypes
        that are spelt as pairs.
        """
        try:
            if booleans and bool in set(map(type, values)):
                return None
            packed = _packer(len(values), self._code)(*values)
        except (struct.error, OverflowError, TypeError):
            return None
        return np.ndarray(shape, self._dtype, packed)

    def _packed(self, rows: list[list[Any]], length: int, booleans: bool) -> bytearray | None:
        # struct takes true for 1; all else that is no number of this dtype it refuses, and it
        # packs a list faster than NumPy reads one.
        try:
            if booleans and any(bool in kinds(row) for row in rows):
                return None
            if len(rows) * length <= AT_ONCE:
                return bytearray().join(starmap(_packer(length, self._code), rows))
            return bytearray().join(self._packed_pieces(rows, length))
        except (struct.error, OverflowError, TypeError):
            return None

    def _packed_pieces(self, rows: list[list[Any]], length: int) -> Iterator[bytes]:
        if length <= AT_ONCE:
            pack = _packer(length, self._code)
            for some in pieces(rows, AT_ONCE // length):
                yield b"".join(starmap(pack, some))
            return
        for row in rows:
            if len(row) != length:
                raise struct.error("a row of another length")
            for part in pieces(row):
                yield _packer(len(part), self._code)(*part)

    def _first_bad(self, flat: list[Any], booleans: bool) -> int:
        types = list(map(type, flat))
        if booleans and bool in types:
            return types.index(bool)
        low, high = 0, len(flat)
        while high - low > 1:
            middle = (low + high) // 2
            if self._packs(flat[low:middle]):
                low = middle
            else:
                high = middle
        return low

    def _packs(self, flat: list[Any]) -> bool:
        try:
            struct.pack(f"={len(flat)}{self._code}", *flat)
        except (struct.error, OverflowError):
            return False
        return True

    def takes(self, leaf: Any) -> str:
        if type(leaf) not in (int, float):
            return "numbers" if self.pair else self.noun
        return range_of(self._dtype)


class NumbersOrNan(Numbers):
    """Floats and complex numbers, or null or ``"NaN"`` if one is missing: that is NaN."""

    def _packed(self, rows: list[list[Any]], length: int, booleans: bool) -> bytearray | None:
        packed = super()._packed(rows, length, booleans)
        if packed is not None:
            return packed
        return super()._packed([_filled(row) for row in rows], length, booleans)

    def _first_bad(self, flat: list[Any], booleans: bool) -> int:
        return super()._first_bad(_filled(flat), booleans)

    def takes(self, leaf: Any) -> str:
        return f"{super().takes(leaf)}, or null for NaN"


def _filled(row: list[Any]) -> list[Any]:
    if type(row) is not list or _SPELLS_NAN.isdisjoint(kinds(row)):
        return row
    return [math.nan if leaf is None or leaf == "NaN" else leaf for leaf in row]


@lru_cache(64)
def _packer(count: int, code: str) -> Callable[..., bytes]:
    return struct.Struct(f"={count}{code}").pack


class Booleans(Leaves):
    """``true`` and ``false``."""

    noun = "booleans"

    def array(self, rows: list[list[Any]], shape: tuple[int, ...], booleans: bool) -> Array:
        values = chained(rows)
        if kinds(values) - {bool}:
            raise WrongValue(next(i for i, leaf in enumerate(values) if type(leaf) is not bool))
        return array_from(values, np.dtype(bool)).reshape(shape)


class Strings(Leaves):
    """Strings, as UTF-8, and bytes as they are or as ``{"b64": "..."}``."""

    noun = "strings"

    def array(self, rows: list[list[Any]], shape: tuple[int, ...], booleans: bool) -> Array:
        values = chained(rows)
        array = np.empty(len(values), object)
        for index, leaf in enumerate(values):
            text = _bytes_of(leaf)
            if text is None:
                raise WrongValue(index)
            array[index] = text
        return array.reshape(shape)

    def takes(self, leaf: Any) -> str:
        return 'strings, or bytes as {"b64": "..."} in base64'

    def describe(self, leaf: Any) -> str:
        return '{"b64": ...} of a text that is not base64' if _is_base64(leaf) else describe(leaf)


def _bytes_of(leaf: Any) -> bytes | None:
    if type(leaf) is str:
        return leaf.encode()
    if type(leaf) is bytes:
        return leaf
    if type(leaf) is memoryview:
        return bytes_of(leaf)
    try:
        return decode_base64(leaf["b64"].encode()) if _is_base64(leaf) else None
    except ValueError:
        return None


def _is_base64(leaf: Any) -> bool:
    """Whether ``leaf`` is meant to be bytes in base64, be it a wrong one."""
    return type(leaf) is dict and leaf.keys() == {"b64"} and type(leaf["b64"]) is str


def leaves_for(spec: TensorSpec, accepts_nan: bool = False) -> Leaves:
    """What makes arrays of the spec's dtype; ``accepts_nan``: its floats may be missing."""
    if spec.dtype == "string":
        return Strings()
    if spec.dtype == "bool":
        return Booleans()
    dtype = spec.numpy_dtype
    return NumbersOrNan(dtype) if accepts_nan and dtype.kind in "fc" else Numbers(dtype)
