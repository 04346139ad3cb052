"""The numbers of columns, as an input of a model takes them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tfaas_codec_root.budget import Budget
from tfaas_codec_root.damage import quoted
from tfaas_codec_root.settings import Pad
from tfaas_codec_root.table import Column
from tfaas_core.errors import DoesNotFit
from tfaas_core.models.model import ModelVersion
from tfaas_core.models.params import Params
from tfaas_core.tensors import Array, TensorSpec
from tfaas_core.values.numbers import WrongValue, cast, describe, range_of, wrong_value


class InputNumbers:
    """Reads columns for one input, which is of numbers or booleans.

    Raises DoesNotFit for what its dtype cannot hold. For numbers, booleans are 0 and 1, as the bits
    of triggers are. ``name`` is that of the branch. What an array takes is taken from the budget.
    """

    def __init__(self, version: ModelVersion, spec: TensorSpec, budget: Budget) -> None:
        self._model = version.name
        self._budget = budget
        self._dtype = spec.numpy_dtype
        self._keeps_nan = self._dtype.kind == "f" and Params.of(version.params).accepts_nan

    def all_of(self, column: Column, name: str) -> Array:
        """All elements, [elements, numbers of an element]: one, or as many for each entry."""
        self._take(column.values.size)
        rows = 1 if column.counts is None else max(1, column.common_count(_branch(name)))
        return self._cast(column.values, name, lambda index: index // (column.width * rows))

    def element(
        self, column: Column, number: int, pad: Pad | None, name: str, needed: int
    ) -> Array:
        """One element of each entry, [entries, numbers of an element].

        If an entry has fewer, ``pad`` says what stands for it. ``needed``: how many elements the
        model takes.
        """
        counts = column.counts
        assert counts is not None
        rows = np.flatnonzero(counts > number)
        if pad is None and len(rows) < len(counts):
            row = int(np.argmin(counts > number))
            raise DoesNotFit(
                f"row {row}, {_branch(name)} has {counts[row]} of the {needed} elements that model "
                f'{self._model!r} takes; "root": {{"pad": ...}} in the params says what stands for '
                "those that are missing",
                model=self._model,
            )
        self._take(len(counts) * column.width)
        starts = np.cumsum(counts) - counts
        taken = column.values[starts[rows] + number]
        numbers = self._cast(taken, name, lambda index: int(rows[index // column.width]))
        if len(rows) == len(counts):
            return numbers
        filled = np.empty((len(counts), column.width), self._dtype)
        filled[...] = self._filling(pad, name)
        filled[rows] = numbers
        return filled

    def _take(self, numbers: int) -> None:
        # Twice, since they are made in parts, which are put together.
        self._budget.take(2 * numbers * self._dtype.itemsize)

    def _filling(self, pad: Pad | None, name: str) -> Array:
        value = np.array([0 if pad is None else pad.value])
        kind = np.dtype(np.uint8) if self._dtype.kind == "b" else self._dtype
        try:
            if self._dtype.kind == "b" and value[0] not in (0, 1):
                raise WrongValue(0)
            return cast(value, kind)
        except WrongValue:
            place = f"params.root.pad of {_branch(name)}"
            raise self._wrong(place, describe(value[0].item())) from None

    def _cast(self, values: Array, name: str, row_of: Callable[[int], int]) -> Array:
        is_bool = values.dtype.kind == "b"
        if self._dtype.kind == "b":
            if not is_bool:
                raise self._wrong(_branch(name), f"{values.dtype}")
            return values
        try:
            return cast(values.view(np.uint8) if is_bool else values, self._dtype, self._keeps_nan)
        except WrongValue as wrong:
            got = describe(values.flat[wrong.index].item())
            raise self._wrong(f"row {row_of(wrong.index)}, {_branch(name)}", got) from None

    def _wrong(self, place: str, got: str) -> DoesNotFit:
        takes = "booleans" if self._dtype.kind == "b" else range_of(self._dtype)
        return wrong_value(place, got, takes, self._model)


def _branch(name: str) -> str:
    return f"branch {quoted(name)}"
