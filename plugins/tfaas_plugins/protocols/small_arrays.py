"""Small arrays: numbers as JSON, written by one call."""

from __future__ import annotations

import numpy as np
import orjson

from tfaas_core.tensors import Array

_MOST_ELEMENTS = 1 << 12

_AS_THEY_ARE = frozenset(
    np.dtype(name)
    for name in (
        *("float32", "float64", "int8", "int16", "int32", "int64"),
        *("uint8", "uint16", "uint32", "uint64"),
    )
)


def small_written(array: Array) -> bytes | None:
    """What ``json_arrays.written`` gives, sooner. None: it takes more than one call.

    So do large arrays, and those of what is no finite number, for which orjson writes null.
    """
    if array.dtype not in _AS_THEY_ARE or not array.ndim or not 0 < array.size <= _MOST_ELEMENTS:
        return None
    if not array.flags.c_contiguous:
        return None
    written = orjson.dumps(array, option=orjson.OPT_SERIALIZE_NUMPY)
    return None if b"n" in written else written
