"""Packed arrays: ``{"dtype": "<f4", "shape": [2, 42], "data": bin}`` to NumPy and back."""

from __future__ import annotations

import math
from typing import Any, Final

import msgspec
import numpy as np

from tfaas_core.errors import DoesNotFit
from tfaas_core.tensors import NUMPY_DTYPES, Array, show_shape
from tfaas_core.values.numbers import describe
from tfaas_plugins.codecs.msgpack.heads import bytes_head
from tfaas_plugins.codecs.msgpack.lists import lists
from tfaas_plugins.codecs.msgpack.pieces import MOST_AT_ONCE, Pieces

_FIELDS = frozenset(("dtype", "shape", "data"))
_DTYPES: Final[dict[str, np.dtype[Any]]] = {
    name: np.dtype(name)
    for dtype in NUMPY_DTYPES.values()
    for name in ("<" + dtype.str[1:], ">" + dtype.str[1:], dtype.str)
    if dtype.kind != "O"
}
"""Each dtype that can be packed, by what ``numpy.dtype.str`` calls it."""

_NO_BYTES = msgspec.msgpack.encode(b"")
_LONGEST_BYTES = (1 << 32) - 1
"""That MessagePack holds in one value."""

MOST_AXES = 30
_LARGEST_EMPTY = 2**31 - 1
"""An array without elements must still be of a shape that other libraries can count with."""


def is_packed(values: Any) -> bool:
    """Whether values are meant as a packed array, be it a wrong one."""
    return type(values) is dict and not _FIELDS.isdisjoint(values)


def unpack(fields: dict[Any, Any], place: str) -> Array:
    """The array, read-only, in the byte order sent; its data are not copied.

    ``place`` is what messages call the packed array. Raises DoesNotFit.
    """
    missing = sorted(_FIELDS - fields.keys())
    if missing:
        raise _wrong(f"{place}.{missing[0]}", "missing", "send dtype, shape and data")
    dtype = _dtype(fields["dtype"], f"{place}.dtype")
    shape = _shape(fields["shape"], f"{place}.shape")
    data = fields["data"]
    if type(data) not in (bytes, memoryview):
        raise _wrong(f"{place}.data", describe(data), "send bin")
    size = math.prod(shape) * dtype.itemsize
    if len(data) != size:
        expected = f"{show_shape(shape)} of {fields['dtype']} takes {size}"
        raise _wrong(f"{place}.data", f"{len(data)} bytes long", expected)
    if dtype.kind == "b" and np.frombuffer(data, np.uint8).max(initial=0) > 1:
        raise _wrong(f"{place}.data", "not all 0 and 1", "send a byte of either for each boolean")
    return np.ndarray(shape, dtype, data)


def _dtype(name: Any, place: str) -> np.dtype[Any]:
    dtype = _DTYPES.get(name) if type(name) is str else None
    if dtype is None:
        got = repr(name[:40]) if type(name) is str else describe(name)
        expected = "send one like '<f4': byte order, kind (one of b, i, u, f, c) and bytes"
        raise _wrong(place, got, expected)
    return dtype


def _shape(sizes: Any, place: str) -> tuple[int, ...]:
    if type(sizes) is not list:
        raise _wrong(place, describe(sizes), "send a list of sizes")
    if len(sizes) > MOST_AXES:
        raise _wrong(place, f"a list of {len(sizes)} sizes", f"send {MOST_AXES} at most")
    for index, size in enumerate(sizes):
        if type(size) is not int or size < 0:
            raise _wrong(f"{place}[{index}]", describe(size), "a size is an integer from 0 on")
    if 0 in sizes and math.prod(size or 1 for size in sizes) > _LARGEST_EMPTY:
        raise _wrong(place, show_shape(tuple(sizes)), "that is too large beside a size of 0")
    return tuple(sizes)


def _wrong(place: str, got: str, then: str) -> DoesNotFit:
    return DoesNotFit(f"{place} is {got}, {then}", field=place, got=got)


def packed(array: Array) -> Any:
    """What an answer's array is packed as, in little-endian order; strings are lists all the same.

    NaN and infinities are kept.
    """
    if array.dtype.kind == "O":
        return lists(array)
    array = array.astype(array.dtype.newbyteorder("<"), copy=False)
    if array.size <= MOST_AT_ONCE or array.nbytes > _LONGEST_BYTES:
        return {"dtype": array.dtype.str, "shape": array.shape, "data": array.tobytes()}
    # What comes last follows what was written of an empty one.
    empty = {"dtype": array.dtype.str, "shape": array.shape, "data": b""}
    head = msgspec.msgpack.encode(empty).removesuffix(_NO_BYTES)
    data = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
    return Pieces([head, bytes_head(len(data)), data])
