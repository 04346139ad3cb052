"""Usual bodies: a row or a few of floats, and perhaps a model's name, and nothing else.

They are read by their types, in one call, and go straight to the bytes that a model takes. What
has another field, or a value of another type, is read as a document, which knows what else there
may be, and has words for what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import starmap
from math import isfinite, prod
from struct import Struct, error
from typing import Any, TypeAlias
from weakref import ref

import msgspec
import numpy as np

from tfaas_core.codec import Codec
from tfaas_core.models.model import ModelVersion
from tfaas_core.predict.short_predictions import UsualPlan
from tfaas_core.settings.tables import Limits
from tfaas_core.tensors import Array, BatchAxis, Bound, Signature, TensorSpec, by_name
from tfaas_core.texts.unreadable import UNREADABLE
from tfaas_core.values.numbers import WrongValue, rounded

MOST_BYTES = 1 << 13
"""A longer body is read sooner without an object for each number, or in a thread."""

_MOST_ELEMENTS = 1 << 8
"""Of all outputs, for each row."""

MOST_ROWS = 1 << 11
"""Of a request: the answer to more may take long to write."""

MOST_ARRAY_BYTES = 1 << 19
"""A longer body is read in a thread, even without an object for each number."""

_MOST_NUMBERS = 2560
"""Of an answer: more may take more than 64 KiB, which are compressed for whom takes that."""

_MOST_SPLIT = 1 << 8
"""Rows of a run. Of more, most may be those of batches."""

_NO_ROWS = np.empty((0, 0))

_CODES = {"float32": "f", "float64": "d"}


class UsualRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """One row. msgspec refuses booleans as floats, and rounds integers as Python does."""

    values: list[float]
    model: str | None = None

    def are_finite(self) -> bool:
        """Whether no value is NaN or infinite; no, too, if their sum is."""
        return isfinite(sum(self.values))


class UsualRows(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """Several."""

    values: list[list[float]]
    model: str | None = None

    def are_finite(self) -> bool:
        """As of one row."""
        return isfinite(sum(map(sum, self.values)))


class UsualArray(msgspec.Struct, gc=False):
    """Several, too, as an array of float64 [rows, size of a row].

    It is gone once there are inputs: it would wait for the answer, and what is read next would not
    find its memory in the caches.
    """

    array: Array
    model: str | None = None


UsualBody: TypeAlias = UsualRow | UsualRows | UsualArray


class UsualBodies:
    """Reads them by decoders of the two."""

    def __init__(
        self,
        row: Callable[[bytes], UsualRow],
        rows: Callable[[bytes], UsualRows],
        limits: Limits,
    ) -> None:
        self._row = row
        self._rows = rows
        # So many bytes can hold no more than is allowed.
        least = limits.max_values, limits.max_lists, limits.max_json_bytes, MOST_BYTES
        self._most_bytes = min(least)

    def read(self, body: bytes, is_nested: bool) -> UsualRow | UsualRows | None:
        """What ``body`` says; None: it is not as usual. ``is_nested``: as it seems, several."""
        if len(body) > self._most_bytes:
            return None
        try:
            return self._rows(body) if is_nested else self._row(body)
        except (*UNREADABLE, ValueError):
            return None


class UsualNumbers(UsualPlan[UsualBody]):
    """Takes them to a version of one input, whose rows are as many floats."""

    def __init__(
        self,
        codec: Codec[Any],
        version: ModelVersion,
        shape: tuple[int, int],
        write: Callable[[Array], bytes] | None,
        split: Callable[[Array], list[bytes]] | None,
    ) -> None:
        """``shape``: the most rows of a request, and the length of each. ``write``: what writes the
        one output as ``codec`` does; None: there are several, or others. ``split`` writes each of
        its rows; None: one by one."""
        (only,) = version.signature.inputs
        self._version = version
        self._most_rows, self._length = shape
        self._dtype = only.numpy_dtype
        self._pack = Struct(f"={self._length}{_CODES[only.dtype]}").pack
        self._codec = codec
        self._write, self._split = write, split
        # The run's memory is not to stay here if its last row is another's.
        self._split_last: ref[Array] | None = None
        self._texts: list[bytes] = []

    @classmethod
    def of(
        cls,
        codec: Codec[Any],
        version: ModelVersion,
        write: Callable[[Array], bytes] | None,
        split: Callable[[Array], list[bytes]] | None = None,
    ) -> UsualNumbers | None:
        """None: the version takes or gives anything else."""
        signature = version.signature
        if len(signature.inputs) != 1 or signature.unused or signature.batch is BatchAxis.NONE:
            return None
        (only,) = signature.inputs
        row = signature.row_shape(only)
        if only.carried or only.dtype not in _CODES or row is None or len(row) != 1 or not row[0]:
            return None
        size = elements_of(signature)
        if size is None or size > _MOST_ELEMENTS:
            return None
        most_rows = min(MOST_ROWS, _MOST_NUMBERS // max(1, size))
        write = write if len(signature.outputs) == 1 else None
        return cls(codec, version, (most_rows, row[0]), write, split)

    def inputs(self, usual: UsualBody) -> list[Array] | None:
        if isinstance(usual, UsualArray):
            array, usual.array = usual.array, _NO_ROWS
            return self._rounded(array)
        values: Any = usual.values
        try:
            if type(usual) is UsualRow:
                return [np.ndarray((1, self._length), self._dtype, self._pack(*values))]
            packed = b"".join(starmap(self._pack, values))
        except (error, OverflowError):
            return None
        if not 0 < len(values) <= self._most_rows:
            return None
        return [np.ndarray((len(values), self._length), self._dtype, packed)]

    def _rounded(self, array: Array) -> list[Array] | None:
        if array.shape[1] != self._length or len(array) > self._most_rows:
            return None
        try:
            return [rounded(array, self._dtype)]
        except WrongValue:
            return None

    def answer(self, outputs: Sequence[Array], start: int, end: int, usual: UsualBody) -> bytes:
        is_single, output = type(usual) is UsualRow, outputs[0]
        if self._write is not None and output.ndim == 2:
            if not is_single:
                return self._write(output[start:end])
            if self._split is None or len(output) > _MOST_SPLIT:
                return self._write(output[start])
            if self._split_last is None or self._split_last() is not output:
                self._split_last, self._texts = ref(output), self._split(output)
            text = self._texts[start]
            if end == len(output):
                self._split_last, self._texts = None, []
            return text
        named = by_name(self._version.signature, [each[start:end] for each in outputs])
        bound = Bound({}, end - start, is_single)
        return self._codec.encode_other(named, bound, self._version).whole()


def elements_of(signature: Signature) -> int | None:
    """How many numbers all outputs have for a row; None: it is not known, or some are no row's."""
    elements = [_elements(signature, spec) for spec in signature.outputs]
    return None if None in elements else sum(filter(None, elements))


def _elements(signature: Signature, spec: TensorSpec) -> int | None:
    """How many numbers of an output belong to a row; None: it is not known, or no row's."""
    row = signature.row_shape(spec)
    if spec.constant or spec.dtype == "string" or row is None:
        return None
    sizes = [size for size in row if size is not None]
    return prod(sizes) if len(sizes) == len(row) else None
