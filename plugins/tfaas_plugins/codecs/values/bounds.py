"""Bounds: how much a body holds, counted before there is an object for any of it.

A call that makes millions of objects lets nothing else run, not even in another thread.
"""

from __future__ import annotations

import re
from struct import Struct

import numpy as np

from tfaas_core.errors import TooLarge
from tfaas_core.settings.tables import Limits

_PIECE_BYTES = 1 << 18
_LONG_BYTES = 1 << 14
_PACK_IT = "send fewer at a time, or arrays by MessagePack, packed"


class Allowance:
    """How many values a request may hold that its body alone does not tell.

    Whoever is about to make objects of them counts them here before.
    """

    __slots__ = ("_left", "_limits")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._left = limits.max_values

    def take(self, values: int, what: str) -> None:
        """``what`` holds so many more. Raises TooLarge if that is too many, with all before."""
        self._left -= values
        if self._left < 0:
            raise TooLarge(
                f"with {what}, the request has more than {self._limits.max_values} values "
                "(limits.max_values); send fewer at a time",
                expected=self._limits.max_values,
            )


def check_json(body: bytes, limits: Limits) -> None:
    """Raises TooLarge if a JSON body is longer, or may hold more, than ``limits`` allow.

    What stands in texts is counted, too.
    """
    size = len(body)
    if size > limits.max_json_bytes:
        raise TooLarge(
            f"the body has {size} bytes, JSON may have {limits.max_json_bytes} "
            f"(limits.max_json_bytes); {_PACK_IT}",
            expected=limits.max_json_bytes,
            got=size,
        )
    if size > limits.max_lists:
        # The field of an object costs as much as a list.
        _check_lists(sum(count_of(body, mark) for mark in (b"[", b"{", b":")), limits)
    if size > limits.max_values:
        _check_values(count_of(body, b",") + 1, limits)
        # Each text has two, and stands between others.
        _check_values(count_of(body, b'"') // 2 - limits.max_lists, limits)


def count_of(body: bytes, mark: bytes) -> int:
    """How often one byte is in ``body``."""
    if len(body) < _LONG_BYTES:
        return body.count(mark)
    # Python looks at byte after byte, a processor can at many at once. In pieces, so that it need
    # not write as many.
    values, byte = np.frombuffer(body, np.uint8), mark[0]
    starts = range(0, len(body), _PIECE_BYTES)
    return sum(
        int(np.count_nonzero(values[start : start + _PIECE_BYTES] == byte)) for start in starts
    )


def _check_lists(lists: int, limits: Limits) -> None:
    if lists > limits.max_lists:
        raise TooLarge(
            f"the body has more than {limits.max_lists} lists, objects and fields "
            f"(limits.max_lists); {_PACK_IT}",
            expected=limits.max_lists,
        )


def _check_values(values: int, limits: Limits) -> None:
    if values > limits.max_values:
        raise TooLarge(
            f"the body has more than {limits.max_values} values in its lists "
            f"(limits.max_values); {_PACK_IT}",
            expected=limits.max_values,
        )


# Of MessagePack: what needs no look, and how the others begin.
_ONE_BYTE = rb"[\x00-\x7f\xc0-\xc3\xe0-\xff]"
_MORE_BYTES = (
    rb"[\xcc\xd0].|[\xcd\xd1]..|[\xca\xce\xd2].{4}|[\xcb\xcf\xd3].{8}|"
    rb"\xd4..|\xd5.{3}|\xd6.{5}|\xd7.{9}|\xd8.{17}|"
    + b"|".join(rb"(?:\x%02x|[\xc4\xd9]\x%02x).{%d}" % (0xA0 + n, n, n) for n in range(32))
)
SCALAR = _ONE_BYTE + b"|" + _MORE_BYTES
"""A pattern of a value of MessagePack that is short, and no list or map."""

_SCALARS = re.compile(b"(?:" + _ONE_BYTE + b"++|" + _MORE_BYTES + b")*+", re.DOTALL)
_LENGTHS = {1: Struct(">B"), 2: Struct(">H"), 4: Struct(">I")}
BYTES = {
    **{0xC4: (1, 0), 0xC5: (2, 0), 0xC6: (4, 0), 0xD9: (1, 0), 0xDA: (2, 0), 0xDB: (4, 0)},
    **{0xC7: (1, 1), 0xC8: (2, 1), 0xC9: (4, 1)},
}
"""Each with the bytes of its length, and what stands between that and the data."""

_LONG_TEXT = 0xDB
LISTS = {0xDC: 2, 0xDD: 4}
MAPS = {0xDE: 2, 0xDF: 4}
"""Of other than few items, each with the bytes of its length."""


def may_hold_too_much(body: bytes, limits: Limits) -> bool:
    """Whether so many bytes of MessagePack can hold more than ``limits`` allow."""
    return len(body) > min(limits.max_lists, limits.max_values)


def check_msgpack(body: bytes, limits: Limits) -> None:
    """Raises TooLarge if a MessagePack body holds more than ``limits`` allow.

    Bytes, and so packed arrays, may be of any length. That the body is whole is not checked.
    """
    at = lists = values = 0
    while at < len(body):
        found = _SCALARS.match(body, at, at + _PIECE_BYTES)
        if found is not None and found.end() > at:
            at = found.end()
            continue
        kind = body[at]
        at += 1
        if 0x90 <= kind <= 0x9F:
            lists += 1
            values += kind & 0x0F
        elif 0x80 <= kind <= 0x8F:
            lists += 1 + (kind & 0x0F)
        elif kind in LISTS:
            lists += 1
            values += length_at(body, at, LISTS[kind])
            at += LISTS[kind]
        elif kind in MAPS:
            lists += 1 + length_at(body, at, MAPS[kind])
            at += MAPS[kind]
        elif kind in BYTES:
            size, more = BYTES[kind]
            length = length_at(body, at, size)
            if kind == _LONG_TEXT:
                _check_text(length, limits)
            at += size + more + length
        else:
            return  # It ends in the middle of a value.
        if lists > limits.max_lists or values > limits.max_values:
            _check_lists(lists, limits)
            _check_values(values, limits)


def _check_text(length: int, limits: Limits) -> None:
    if length > limits.max_json_bytes:
        raise TooLarge(
            f"a text in the body has {length} bytes, it may have {limits.max_json_bytes} "
            "(limits.max_json_bytes)",
            expected=limits.max_json_bytes,
            got=length,
        )


def length_at(body: bytes, at: int, size: int) -> int:
    """The number of ``size`` bytes at ``at``; more than there are bytes, if it is not there."""
    found = body[at : at + size]
    return int(_LENGTHS[size].unpack(found)[0]) if len(found) == size else len(body)
