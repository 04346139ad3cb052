"""Number lists: nested lists of numbers that were read into one array, and to an input's array."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec
import numpy as np

from tfaas_core.tensors import Array
from tfaas_core.values.numbers import WrongValue, rounded
from tfaas_plugins.codecs.values.lists import ListReader, Reading, fits

Path: TypeAlias = tuple[str | int, ...]
"""Where a value is: the names of fields and the places in lists that lead to it."""


class NumberLists(msgspec.Struct, frozen=True):
    """Nested lists of nothing but numbers, as many in each list of a level.

    ``array`` is int64 if all of them are integers of that range, else float64.
    """

    array: Array
    body: bytes
    path: Path
    read: Callable[[bytes], Any]

    def lists(self) -> Any:
        """The lists themselves, as ``read`` finds them in the body."""
        found = self.read(self.body)
        for field in self.path:
            found = found[field]
        return found


class NumberListsReader(ListReader):
    """Reads NumberLists as it would read the lists that they were, only sooner."""

    def read_other(self, values: Any, name: str, booleans: bool) -> Reading:
        if type(values) is not NumberLists:
            return super().read_other(values, name, booleans)
        reading = self._reading(values.array)
        # Why there is none, the lists tell.
        return self.read_lists(values.lists(), name, booleans) if reading is None else reading

    def _reading(self, sent: Array) -> Reading | None:
        row = self.row_shape
        if row is None:
            return None
        single = sent.ndim == len(row)
        if not fits(sent.shape if single or not self.batched else sent.shape[1:], row):
            return None
        array = self._fitting(sent)
        if array is None:
            return None
        return Reading(array[np.newaxis] if single and self.batched else array, single)

    def _fitting(self, sent: Array) -> Array | None:
        dtype = self.spec.numpy_dtype
        if dtype.kind == "f":
            try:
                # As Python does: an integer is rounded to float64 first.
                return rounded(sent.astype(np.float64, copy=False), dtype, self.accepts_nan)
            except WrongValue:
                return None
        if dtype.kind not in "iu" or sent.dtype.kind != "i":
            return None
        limits = np.iinfo(dtype)
        if sent.min() < limits.min or sent.max() > limits.max:
            return None
        return sent.astype(dtype)
