"""Rows of a DataFrame that are alike but for their numbers, read without an object for each."""

from __future__ import annotations

from itertools import islice

import numpy as np

from tfaas_core.tensors import Array
from tfaas_plugins.codecs.protobuf.tfaas_pb2 import Row
from tfaas_plugins.codecs.protobuf.wire import MOST_QUICK_BYTES
from tfaas_plugins.wire import LENGTH, Broken, fields, tag_of, varint_at

_ROW, _VALUE_NUMBER = tag_of(1, LENGTH), 2
_FLOAT_BYTES = 4
_MOST_FIELDS = 256
"""Of a row: of more, there is an object for each in any case."""
_LEAST_ROWS = 4
"""Fewer are sooner read one by one."""


def rows_alike(body: bytes, max_rows: int) -> tuple[Row, Array] | None:
    """The first row of a DataFrame, and the numbers of all, float32 [rows, columns].

    None if they are not equally long, and the same but for their packed numbers, or if these are
    more than ``max_rows``. Raises DecodeError if the first one cannot be read.
    """
    if len(body) < 2 or body[0] != _ROW:
        return None
    try:
        length, start = varint_at(body, 1)
        size = start + length
        if not length or size > MOST_QUICK_BYTES or len(body) % size:
            return None
        count = len(body) // size
        numbers = _packed_numbers(body, start, size) if _LEAST_ROWS <= count <= max_rows else None
    except (Broken, IndexError):
        return None
    if numbers is None:
        return None
    begin, end = numbers
    rows = np.frombuffer(body, np.uint8).reshape(count, size)
    if (rows[:, :begin] != rows[0, :begin]).any() or (rows[:, end:] != rows[0, end:]).any():
        return None
    columns = (end - begin) // _FLOAT_BYTES
    floats = np.ndarray((count, columns), "<f4", body, begin, (size, _FLOAT_BYTES))
    return Row.FromString(body[start:size]), floats.astype(np.float32)


def has_packed_numbers(body: bytes) -> bool:
    """Whether a Row has packed numbers, once, and few other fields. Raises Broken."""
    return _packed_numbers(body, 0, len(body)) is not None


def _packed_numbers(body: bytes, start: int, end: int) -> tuple[int, int] | None:
    """Where the one field of a row is that holds its numbers; None: they are not so."""
    some = list(islice(fields(body, start, end), _MOST_FIELDS + 1))
    found = [field for field in some if field[0] >> 3 == _VALUE_NUMBER]
    if len(some) > _MOST_FIELDS or len(found) != 1:
        return None
    ((tag, begin, end),) = found
    is_packed = tag & 7 == LENGTH and end > begin and not (end - begin) % _FLOAT_BYTES
    return (begin, end) if is_packed else None
