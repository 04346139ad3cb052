"""The values of one input as JSON gives them, as lists or as NumberLists, to an array."""

from __future__ import annotations

import struct
from itertools import starmap
from typing import Any

import numpy as np

from tfaas_core.model import ModelVersion
from tfaas_core.tensors import Array, TensorSpec
from tfaas_plugins.json_numbers import NumberLists
from tfaas_plugins.values_leaves import LeafError, Numbers, Pack, rounded
from tfaas_plugins.values_lists import ListReader, Reading, fits


class JsonReader(ListReader):
    """Reads as any ListReader, but sooner: rows of numbers, and NumberLists."""

    def __init__(self, version: ModelVersion, spec: TensorSpec) -> None:
        super().__init__(version, spec)
        self._pack = self._row_packer()

    def read(self, values: Any, name: str, booleans: bool) -> Reading:
        """The array that ``values`` spell; see ``ListReader.read``."""
        reading = None
        if type(values) is NumberLists:
            reading = self._reading(values.array)
            if reading is None:
                values = values.lists()
        elif self._pack is not None and type(values) is list and not booleans:
            reading = self._packed(values, self._pack)
        # What is wrong, or unusual, the long way tells.
        return super().read(values, name, booleans) if reading is None else reading

    def _row_packer(self) -> Pack | None:
        """What packs one row, where rows are a fixed number of numbers."""
        row, leaves = self.row_shape, self._leaves
        if not self.batched or row is None or len(row) != 1 or not row[0]:
            return None
        return leaves.packer(row[0]) if isinstance(leaves, Numbers) and not leaves.pair else None

    def _packed(self, values: list[Any], pack: Pack) -> Reading | None:
        """A row or rows of numbers, or None.

        ``pack`` takes numbers alone, and as many as make a row: strings, and objects, whose names
        are strings, it refuses in a row's place, too.
        """
        try:
            single = type(values[0]) is not list
            rows = bytearray().join([pack(*values)] if single else starmap(pack, values))
        except (struct.error, OverflowError, TypeError, IndexError):
            return None
        count = 1 if single else len(values)
        return Reading(np.ndarray((count, *self._row_sizes), self.spec.numpy_dtype, rows), single)

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
                return rounded(sent.astype(np.float64, copy=False), dtype)
            except LeafError:
                return None
        if dtype.kind not in "iu" or sent.dtype.kind != "i":
            return None
        limits = np.iinfo(dtype)
        if sent.min() < limits.min or sent.max() > limits.max:
            return None
        return sent.astype(dtype)
