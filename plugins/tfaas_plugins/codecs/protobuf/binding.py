"""How Rows become the array that one version of a model takes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tfaas_core.errors import DoesNotFit
from tfaas_core.models.model import ModelVersion
from tfaas_core.models.params import Params
from tfaas_core.tensors import Array, BatchAxis, Bound, show_shape
from tfaas_core.values.columns import Columns
from tfaas_core.values.inputs import only_input
from tfaas_core.values.numbers import WrongValue, cast, describe, range_of, wrong_value
from tfaas_plugins.codecs.protobuf.document import ANNOUNCED, RowsDocument
from tfaas_plugins.codecs.protobuf.tfaas_pb2 import Row
from tfaas_plugins.codecs.values.leaves import leaves_for

_MOST_KEYS = 1000
_MOST_AT_ONCE = 1 << 20
"""Numbers that are copied in one step, in which nothing else can run."""

_ELSEWHERE = "send JSON or MessagePack instead"


class RowBinding:
    """Binds Rows to one version.

    A Row is flat; if a row of the model has more axes, it holds that row's elements in C order.
    """

    def __init__(self, version: ModelVersion) -> None:
        signature = version.signature
        self._model = version.name
        self._why_not = _why_not(version)
        self._batched = signature.batch is not BatchAxis.NONE
        self._accepts_nan = Params.of(version.params).accepts_nan
        spec = only_input(version)
        if spec is not None and not self._why_not:
            self._name, self._dtype = spec.name, spec.numpy_dtype
            self._shape = _known(signature.row_shape(spec))
            self._columns = Columns(version, signature.row_shape(spec))
            self._takes = range_of(self._dtype)

    def bind(self, document: RowsDocument) -> Bound:
        """The array of one row, or of a batch with as many rows as the DataFrame."""
        if self._why_not:
            raise DoesNotFit(f"{self._why_not}; {_ELSEWHERE}", model=self._model)
        if not (self._batched or document.single):
            raise DoesNotFit(
                f"model {self._model!r} takes no batches, send a Row",
                field="row",
                model=self._model,
            )
        if not document.rows:
            # Of free sizes, 1 is taken: see ListReader.
            row = (1,) if self._shape is None else self._shape
            empty = np.zeros((0, *row), self._dtype)
            return Bound({self._name: empty}, 0, False, whole=True)
        array = self._arranged(self._cast(self._floats(document), document), document)
        shape = array.shape[1:] if self._shape is None else self._shape
        array = array.reshape((*array.shape[: self._batched], *shape))
        return Bound({self._name: array}, document.count, document.single)

    def _floats(self, document: RowsDocument) -> Array:
        """float32 [rows, columns]."""
        columns = None if self._shape is None else math.prod(self._shape)
        if document.numbers is not None:
            if columns not in (None, document.numbers.shape[1]):
                raise self._wrong_length(document, 0, columns)
            return document.numbers
        # To have the numbers written packed, and to look at the bytes, takes an eighth of the time
        # that it takes to read them one by one.
        pieces = []
        joined = Row()
        for index, row in enumerate(document.rows):
            value = row.value
            if columns is None:
                columns = len(value)
            if len(value) != columns or not columns:
                raise self._wrong_length(document, index, columns)
            if len(joined.value) > _MOST_AT_ONCE:
                pieces.append(_floats_of(joined))
                joined = Row()
            joined.value.MergeFrom(value)
        floats = np.concatenate([*pieces, _floats_of(joined)])
        return floats.reshape(len(document.rows), -1)

    def _cast(self, floats: Array, document: RowsDocument) -> Array:
        try:
            return cast(floats, self._dtype, self._accepts_nan)
        except WrongValue as bad:
            number = floats.flat[bad.index]
            row, column = divmod(bad.index, floats.shape[1])
            place = f"{document.place(row, 'value')}[{column}]"
            got = str(number) if np.isfinite(number) else describe(float(number))
            raise wrong_value(place, got, self._takes, self._model) from None

    def _arranged(self, array: Array, document: RowsDocument) -> Array:
        """The columns of each row that has keys are put into the order of the model's features.

        Keys say nothing of rows that have more axes.
        """
        if self._shape is not None and len(self._shape) != 1:
            return array
        last: list[str] = []
        order: list[int] | None = None
        for index, row in enumerate(document.rows):
            if not row.key:
                continue
            if len(row.key) > _MOST_KEYS:
                # So many names are no columns, and take long to compare.
                self._columns.check_count(
                    row.key, array.shape[1], document.place(index, "key"), "value"
                )
            keys = list(row.key)
            if keys != last:
                order = self._order(keys, array.shape[1], document, index)
                last = keys
            if order is not None and document.numbers is not None:
                return array.take(order, axis=1)
            if order is not None:
                array[index] = array[index].take(order)
        return array

    def _order(
        self, keys: list[str], columns: int, document: RowsDocument, index: int
    ) -> list[int] | None:
        place = document.place(index, "key")
        order = self._columns.order(keys, place)
        self._columns.check_count(keys, columns, place, document.place(index, "value"))
        return order

    def _wrong_length(self, document: RowsDocument, index: int, columns: int) -> DoesNotFit:
        place, got = document.place(index, "value"), len(document.rows[index].value)
        details: dict[str, Any] = {"field": place, "model": self._model}
        if not got:
            hint = f"; a DataFrame is announced as {ANNOUNCED}" if document.single else ""
            return DoesNotFit(f"{place} is missing{hint}", **details)
        who = f"model {self._model!r} takes" if self._shape is not None else "row[0].value has"
        numbers = "number" if got == 1 else "numbers"
        return DoesNotFit(
            f"{place} has {got} {numbers}, {who} {columns}", expected=columns, got=got, **details
        )


def _floats_of(row: Row) -> Array:
    written, size = row.SerializeToString(), len(row.value)
    return np.frombuffer(written, "<f4", size, len(written) - 4 * size).astype(np.float32)


def _why_not(version: ModelVersion) -> str:
    """Why a Row cannot hold a row of this model, or Predictions not its answer; or nothing."""
    signature, model = version.signature, f"model {version.name!r}"
    spec = only_input(version)
    if spec is None:
        return f"{model} takes {len(signature.inputs)} inputs, a Row holds one"
    if spec.numpy_dtype.kind not in "fiu":
        return f"{model} takes {leaves_for(spec).noun}, a Row holds numbers"
    shape = signature.row_shape(spec)
    if shape is not None and len(shape) > 1 and None in shape:
        return f"{model} takes shape {show_shape(shape)}, a Row is flat"
    for output in signature.outputs:
        if output.numpy_dtype.kind not in "fiub":
            return f"{model} answers {leaves_for(output).noun}, Predictions hold numbers"
    return ""


def _known(shape: tuple[int | None, ...] | None) -> tuple[int, ...] | None:
    """A shape without unknown sizes, or None."""
    sizes = [size for size in shape or () if size is not None]
    return tuple(sizes) if shape is not None and len(sizes) == len(shape) else None
