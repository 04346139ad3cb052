"""The values of a column, or of the lists in it, as an array of an input's dtype."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
from pyarrow import types

from tfaas_codec_arrow.kinds import is_number, is_text, is_text_view
from tfaas_codec_arrow.source import one_line
from tfaas_core.errors import DoesNotFit
from tfaas_core.models.model import ModelVersion
from tfaas_core.models.params import Params
from tfaas_core.tensors import Array, TensorSpec
from tfaas_core.values.numbers import WrongValue, cast, describe, range_of, wrong_value

_BYTES_OF_A_TEXT = 50
"""What an object takes beside its text, roughly."""


class LeafReader:
    """Reads values for one input."""

    def __init__(self, version: ModelVersion, spec: TensorSpec) -> None:
        self._model = version.name
        self._dtype = spec.numpy_dtype
        self._keeps_nan = self._dtype.kind == "f" and Params.of(version.params).accepts_nan
        self._takes = {
            "b": "booleans",
            "O": "text or binary",
            "c": "complex numbers, which Arrow has not",
        }.get(self._dtype.kind) or range_of(self._dtype)

    def check_type(self, kind: pa.DataType, place: str) -> None:
        """Raises DoesNotFit if values of this type are none of the model's."""
        kinds = {"b": types.is_boolean, "O": _is_any_text, "c": types.is_null}
        fits = kinds.get(self._dtype.kind, is_number)
        if not (types.is_null(kind) or fits(kind)):
            got = one_line(str(kind))
            raise DoesNotFit(
                f"{place} is {got}, model {self._model!r} takes {self._takes}",
                field=place,
                expected=self._takes,
                got=got,
                model=self._model,
            )

    def bytes_of(self, values: pa.Array) -> int:
        """What ``read`` takes for these values, before it does."""
        if self._dtype.kind != "O":
            return len(values) * self._dtype.itemsize
        of_all = _viewed_bytes(values) if is_text_view(values.type) else int(values.nbytes)
        return len(values) * _BYTES_OF_A_TEXT + of_all

    def read(self, values: pa.Array, place: Callable[[int], str]) -> Array:
        """The values, [values] of the dtype: those sent, if they are of it, and else a copy.

        ``place`` is what messages call a value by its index. Raises DoesNotFit for a null, which
        is NaN if the params accept that, and for a number that the dtype cannot hold.
        """
        if not len(values):
            return np.empty(0, self._dtype)
        if values.null_count:
            if not self._keeps_nan:
                raise self._wrong(place(first_null(values)), "null")
            if types.is_null(values.type):
                return np.full(len(values), np.nan, self._dtype)
        if self._dtype.kind == "O":
            texts = np.empty(len(values), object)
            texts[:] = values.cast(pa.large_binary()).to_pylist()
            return texts
        numbers: Array = values.to_numpy(zero_copy_only=False)
        if self._dtype.kind == "b":
            return numbers
        try:
            return cast(numbers, self._dtype, self._keeps_nan)
        except WrongValue as wrong:
            got = describe(numbers[wrong.index].item())
            raise self._wrong(place(wrong.index), got) from None

    def _wrong(self, place: str, got: str) -> DoesNotFit:
        return wrong_value(place, got, self._takes, self._model)


def first_null(values: pa.Array) -> int:
    """Where the first null of an array is that has one."""
    return int(np.argmin(values.is_valid().to_numpy(zero_copy_only=False)))


def _is_any_text(kind: pa.DataType) -> bool:
    return is_text(kind) or is_text_view(kind)


def _viewed_bytes(values: pa.Array) -> int:
    """The bytes of all views: each is 16 bytes, the first 4 of which are its length."""
    if not len(values):
        return 0
    views = np.frombuffer(values.buffers()[1], "<i4", 4 * len(values), 16 * values.offset)
    return int(views[::4].sum(dtype=np.int64))
