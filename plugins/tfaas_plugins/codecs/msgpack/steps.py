"""Steps: MessagePack of megabytes, read a part at a time.

A call that reads a million values, or copies a long one, lets nothing else run, not even in another
thread. So as many items of a list or map as a part holds are read as one of so many items, and
these are put together. What is longer than a part is gone into.
"""

from __future__ import annotations

import codecs
import re
from functools import cache
from typing import Any

import msgspec
import numpy as np

from tfaas_core.values.pieces import BYTES_AT_ONCE, pieces
from tfaas_core.values.texts import joined_text
from tfaas_plugins.codecs.msgpack.heads import list_head, map_head
from tfaas_plugins.codecs.values.bounds import BYTES, LISTS, MAPS, SCALAR, length_at

LONG_BYTES = 1 << 20
"""A body of no more is read at once."""

PART_BYTES = 1 << 18
"""That are read in one step."""

_MOST_SCALARS = 1 << 12
"""That are found at once."""

_DEEPEST = 32
"""What is nested deeper is read at once."""

_WIDTHS = {
    **{0xCC: 2, 0xCD: 3, 0xCE: 5, 0xCF: 9},
    **{0xD0: 2, 0xD1: 3, 0xD2: 5, 0xD3: 9, 0xCA: 5, 0xCB: 9},
}
"""The bytes of numbers, with the one that they begin with."""

_FEW = 64
_NO_SCALARS = frozenset((*range(0x80, 0xA0), *LISTS, *MAPS, 0xC5, 0xC6, 0xDA, 0xDB))
_TEXTS = (0xD9, 0xDA, 0xDB)
_BYTE = re.compile(r"\(byte (\d+)\)")
_TRUNCATED = "Input data was truncated"


class _TooDeep(Exception):
    """Long lists are nested too deep."""


def read_in_steps(body: bytes, part_bytes: int = PART_BYTES) -> Any:
    """What ``body`` spells, as msgspec has it, but for long bytes: these are views of it.

    Raises msgspec.DecodeError and UnicodeDecodeError, as msgspec does.
    """
    try:
        value, end = _Reader(body, part_bytes).value(0)
    except _TooDeep:
        return msgspec.msgpack.decode(body)
    except IndexError:
        raise msgspec.DecodeError(_TRUNCATED) from None
    if end != len(body):
        raise msgspec.DecodeError(
            f"MessagePack data is malformed: trailing characters (byte {end})"
        )
    return value


class _Reader:
    """Reads values of one body; each method returns where what follows begins, too.

    They raise IndexError if that is not in the body.
    """

    def __init__(self, body: bytes, part_bytes: int) -> None:
        self._body = body
        self._part_bytes = part_bytes
        self._depth = 0

    def value(self, at: int) -> tuple[Any, int]:
        """One of any length."""
        kind = self._body[at]
        if (size := list_size(self._body, at, kind)) is not None:
            return self._within(self._list, *size)
        if (size := _map_size(self._body, at, kind)) is not None:
            return self._within(self._map, *size)
        end = self._end(at)
        if end is not None:
            (value,) = self._decoded(list_head(1), at, end)
            return value, end
        return self._long(at, kind)

    def _within(self, read: Any, size: int, at: int) -> tuple[Any, int]:
        if self._depth >= _DEEPEST:
            raise _TooDeep
        self._depth += 1
        found = read(size, at)
        self._depth -= 1
        return found  # type: ignore[no-any-return]

    def _list(self, left: int, at: int) -> tuple[list[Any], int]:
        items: list[Any] = []
        while left:
            count, end = self._some(at, left)
            if count:
                items += self._decoded(list_head(count), at, end)
            else:
                count = 1
                item, end = self.value(at)
                items.append(item)
            left -= count
            at = end
        return items, at

    def _map(self, left: int, at: int) -> tuple[dict[Any, Any], int]:
        fields: dict[Any, Any] = {}
        while left:
            count, end = self._some_pairs(at, left)
            if count:
                fields.update(self._decoded(map_head(count), at, end))
            else:
                count = 1
                key, end = self.value(at)
                value, end = self.value(end)
                fields[_hashable(key)] = value
            left -= count
            at = end
        return fields, at

    def _decoded(self, head: bytes, at: int, end: int) -> Any:
        try:
            return msgspec.msgpack.decode(head + self._body[at:end])
        except msgspec.DecodeError as error:
            shift = at - len(head)
            text = _BYTE.sub(lambda byte: f"(byte {int(byte[1]) + shift})", str(error))
            raise msgspec.DecodeError(text) from None

    def _long(self, at: int, kind: int) -> tuple[Any, int]:
        if kind not in BYTES:
            raise msgspec.DecodeError(_TRUNCATED)
        size, between = BYTES[kind]
        start = at + 1 + size + between
        end = start + length_at(self._body, at + 1, size)
        if end > len(self._body):
            raise msgspec.DecodeError(_TRUNCATED)
        if between:
            return msgspec.msgpack.decode(self._body[at:end]), end
        content = memoryview(self._body)[start:end]
        return (_text(content) if kind in _TEXTS else content), end

    # Where what is short ends.

    def _some(self, at: int, most: int) -> tuple[int, int]:
        """How many items of ``most`` are in a part, each of them whole; none: it is a long one."""
        start, count = at, 0
        while count < most and at - start < self._part_bytes:
            found, at = self._scalars(at, most - count)
            count += found
            if not found:
                end = self._end(at)
                if end is None:
                    break
                count, at = count + 1, end
        return count, at

    def _some_pairs(self, at: int, most: int) -> tuple[int, int]:
        start, count = at, 0
        while count < most and at - start < self._part_bytes:
            value = self._end(at)
            end = None if value is None else self._end(value)
            if end is None:
                break
            count, at = count + 1, end
        return count, at

    def _scalars(self, at: int, most: int) -> tuple[int, int]:
        """How many there are, one behind the other: some of them, or none."""
        kind = self._body[at]
        if kind in _NO_SCALARS:
            return 0, at
        if kind in _WIDTHS and (found := self._alike(at, most, _WIDTHS[kind])) > _FEW:
            return found, at + found * _WIDTHS[kind]
        count = min(most, _MOST_SCALARS).bit_length()
        while count:
            count -= 1
            if some := _scalars(1 << count).match(self._body, at):
                return 1 << count, some.end()
        return 0, at

    def _alike(self, at: int, most: int, width: int) -> int:
        """How many values begin as the one at ``at``, each of so many bytes."""
        most = min(most, self._part_bytes // width, (len(self._body) - at) // width)
        are_alike = np.frombuffer(self._body, np.uint8, most * width, at)[::width] == self._body[at]
        return most if are_alike.all() else int(are_alike.argmin())

    def _end(self, at: int) -> int | None:
        """Where the value at ``at`` ends; None: it is not in one part, or not whole."""
        body, last, left = self._body, at + self._part_bytes, 1
        while left:
            if at >= min(last, len(body)):
                return None
            found, at = self._scalars(at, left)
            if found:
                left -= found
                continue
            kind = body[at]
            if (size := list_size(body, at, kind)) is not None:
                left, at = left - 1 + size[0], size[1]
            elif (size := _map_size(body, at, kind)) is not None:
                left, at = left - 1 + 2 * size[0], size[1]
            elif kind in BYTES:
                length, between = BYTES[kind]
                at += 1 + length + between + length_at(body, at + 1, length)
                left -= 1
            else:
                return None
        return at if at <= min(last, len(body)) else None


@cache
def _scalars(count: int) -> re.Pattern[bytes]:
    return re.compile(rb"(?:%b){%d}+" % (SCALAR, count), re.DOTALL)


def list_size(body: bytes, at: int, kind: int) -> tuple[int, int] | None:
    """How many items the list at ``at`` has, and where they begin; None: it is none."""
    if kind & 0xF0 == 0x90:
        return kind & 0x0F, at + 1
    if (size := LISTS.get(kind)) is None:
        return None
    return length_at(body, at + 1, size), at + 1 + size


def _map_size(body: bytes, at: int, kind: int) -> tuple[int, int] | None:
    """The same of a map."""
    if kind & 0xF0 == 0x80:
        return kind & 0x0F, at + 1
    if (size := MAPS.get(kind)) is None:
        return None
    return length_at(body, at + 1, size), at + 1 + size


def _text(content: memoryview) -> str:
    decoder = codecs.getincrementaldecoder("utf-8")()
    parts = [decoder.decode(bytes(part)) for part in pieces(content, BYTES_AT_ONCE)]
    return joined_text([*parts, decoder.decode(b"", final=True)])


def _hashable(key: Any) -> Any:
    """As msgspec has a key. Raises msgspec.DecodeError for what is none."""
    try:
        hash(key := tuple(map(_hashable, key)) if type(key) is list else key)
    except TypeError:
        raise msgspec.DecodeError(
            "MessagePack data is malformed: map keys must be hashable"
        ) from None
    return key
