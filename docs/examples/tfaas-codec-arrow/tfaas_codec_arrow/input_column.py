"""A column that is an input of its own: a value or a list for each row."""

from __future__ import annotations

from functools import partial
from itertools import accumulate
from math import prod

import numpy as np
import pyarrow as pa

from tfaas_codec_arrow.kinds import innermost
from tfaas_codec_arrow.leaves import LeafReader
from tfaas_codec_arrow.lists import Sizes, unlisted
from tfaas_core.errors import DoesNotFit
from tfaas_core.models.model import ModelVersion
from tfaas_core.tensors import Array, BatchAxis, TensorSpec, show_shape


class InputColumn:
    """The chunks of a column, none empty. Raises DoesNotFit if they are of a wrong type or shape.

    ``needed_bytes``: what the array may take in memory.
    """

    def __init__(
        self,
        version: ModelVersion,
        spec: TensorSpec,
        reader: LeafReader,
        field: pa.Field,
        chunks: list[pa.Array],
    ) -> None:
        self._model, self._spec = version.name, spec
        self._name = field.name[:80]
        self._row_shape = version.signature.row_shape(spec)
        self._batched = version.signature.batch is not BatchAxis.NONE
        self._reader = reader
        self._reader.check_type(innermost(field.type), f"column {self._name!r}")
        self._starts = [0, *accumulate(map(len, chunks))]
        self._lists = [
            unlisted(chunk, partial(row_place, self._name, start))
            for chunk, start in zip(chunks, self._starts, strict=False)
        ]
        self._sizes = self._common_sizes()
        self.needed_bytes = sum(self._reader.bytes_of(lists.values) for lists in self._lists)

    def array(self) -> Array:
        """The input's array: a view of the one chunk, if that is of its dtype, and else a copy."""
        row = self._row()
        parts = [
            self._reader.read(lists.values, partial(self._place, start))
            for lists, start in zip(self._lists, self._starts, strict=False)
        ]
        if not parts:
            return np.zeros((0, *row), self._spec.numpy_dtype)
        flat = parts[0] if len(parts) == 1 else np.concatenate(parts)
        return flat.reshape((self._starts[-1], *row) if self._batched else row)

    def _common_sizes(self) -> Sizes:
        """The sizes of the lists in each row; of no rows, those that the model takes."""
        if not self._lists:
            return self._row_shape if self._row_shape is not None else (1,)
        sizes = self._lists[0].sizes
        for lists, start in zip(self._lists, self._starts, strict=False):
            if lists.sizes != sizes:
                raise DoesNotFit(
                    f"{row_place(self._name, start, 0)} has lists of {show_shape(lists.sizes)}, "
                    f"row 0 of {show_shape(sizes)}; send lists that are equally long",
                    model=self._model,
                )
        return sizes

    def _row(self) -> tuple[int, ...]:
        """The shape of a row. Lists may be those of the model, or one that has all its elements."""
        sizes, takes = self._sizes, self._row_shape
        if takes is None:
            return tuple(map(_known, sizes))
        if len(sizes) == len(takes) and all(map(_agree, sizes, takes)):
            # Nobody chooses a size where there are no rows.
            free = 0 if self._lists else 1
            return tuple(map(partial(_chosen, free), sizes, takes))
        row = tuple([size for size in takes if size is not None])
        if len(row) == len(takes) and len(sizes) < 2 and prod(row) == prod(map(_known, sizes)):
            return row
        raise DoesNotFit(
            f"a row of column {self._name!r} is {show_shape(sizes)}, model {self._model!r} takes "
            f"{show_shape(takes)}",
            field=self._name,
            expected=show_shape(takes),
            got=show_shape(sizes),
            model=self._model,
        )

    def _place(self, start: int, index: int) -> str:
        """What messages call a value of a chunk."""
        per_row = prod(map(_known, self._sizes))
        row, element = divmod(index, max(1, per_row))
        place = row_place(self._name, start, row)
        return f"{place}, element {element}" if self._sizes else place


def _agree(size: int | None, takes: int | None) -> bool:
    return None in (size, takes) or size == takes


def _chosen(free: int, size: int | None, takes: int | None) -> int:
    size = takes if size is None else size
    return free if size is None else size


def _known(size: int | None) -> int:
    # If there is no list that has a size, there are no elements.
    return size or 0


def row_place(name: str, start: int, index: int) -> str:
    """What messages call a row of a chunk in a column; rows are counted from 0."""
    return f"row {start + index}, column {name[:80]!r}"
