"""The values of one input as JSON gives them, as lists or as NumberLists, to an array."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfaas_core.tensors import Array
from tfaas_core.values.numbers import WrongValue, rounded
from tfaas_plugins.codecs.json.numbers import NumberLists
from tfaas_plugins.codecs.values.lists import ListReader, Reading, fits


class JsonReader(ListReader):
    """Reads NumberLists as it would read the lists that they were, only sooner."""

    lists_alone_hold_numbers = True

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
        array = self._cast(sent)
        if array is None:
            return None
        return Reading(array[np.newaxis] if single and self.batched else array, single)

    def _cast(self, sent: Array) -> Array | None:
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
