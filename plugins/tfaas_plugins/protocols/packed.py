"""Packed: the integers of a repeated field, from their bytes to an array, and back."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from tfaas_core.errors import BadBody
from tfaas_core.tensors import Array
from tfaas_plugins.protocols.private_pool import message_class
from tfaas_plugins.wire import LENGTH, Piece, tag_of, varint

_BYTES_AT_ONCE = 1 << 16
_NUMBERS_AT_ONCE = 1 << 17
"""What is converted in one step, in which nothing else can run."""

_MORE = 0x80
"""The bit of each byte of a number but the last one."""
_BITS = 0x7F


def unpacked(data: Piece, dtype: np.dtype[np.generic], convert: Callable[[Array], Array]) -> Array:
    """What ``convert`` makes of the integers that ``data`` holds: ``dtype``, of one axis.

    It gets an int64 array for each step. Raises what it raises, and BadBody if ``data`` is broken.
    """
    steps = [np.empty(0, dtype)]
    numbers, head = message_class("tensorflow.Int64List"), varint(tag_of(1, LENGTH))
    at = 0
    while at < len(data):
        end = min(at + _BYTES_AT_ONCE, len(data))
        while end > at and data[end - 1] & _MORE:
            end -= 1
        try:
            step = numbers.FromString(b"".join((head, varint(end - at), data[at:end])))
        except DecodeError:
            step = None
        if step is None or end == at:
            raise BadBody("the message is broken: a number in a list does not end")
        steps.append(convert(np.array(step.value, np.int64)))
        at = end
    return np.concatenate(steps)


def count(data: Piece) -> int:
    """How many integers there are."""
    found = np.frombuffer(data, np.uint8)
    starts = range(0, len(found), 1 << 20)
    return sum(int(np.count_nonzero(found[at : at + (1 << 20)] < _MORE)) for at in starts)


def packed(values: Array) -> bytes:
    """Integers or bools, of any shape, in C order."""
    flat = values.reshape(-1)
    starts = range(0, len(flat), _NUMBERS_AT_ONCE)
    return b"".join(_encoded(flat[at : at + _NUMBERS_AT_ONCE]) for at in starts)


def _encoded(step: Array) -> bytes:
    # A negative number is that of 64 bits, whatever its dtype.
    is_signed = step.dtype.kind == "i"
    values = step.astype(np.int64).view(np.uint64) if is_signed else step.astype(np.uint64)
    highest = int(values.max())
    if highest < _MORE:
        return values.astype(np.uint8).tobytes()
    sizes = np.ones(len(values), np.intp)
    for index in range(1, (highest.bit_length() + 6) // 7):
        sizes += values >= np.uint64(1 << 7 * index)
    ends = np.cumsum(sizes)
    starts = ends - sizes
    written = np.empty(int(ends[-1]), np.uint8)
    for index in range(int(sizes.max())):
        reaching = np.flatnonzero(sizes > index)
        bits = values[reaching] >> np.uint64(7 * index)
        written[starts[reaching] + index] = bits.astype(np.uint8) | _MORE
    written[ends - 1] &= _BITS
    return written.tobytes()
