"""Wire: messages of protocol buffers, field by field, without an object for each.

A field is a part of the body: what it holds is copied where it has to be. So there can be a limit
to what becomes objects, and no step is long in which no other thread can run. Protocol buffers let
what a field holds that comes several times be joined: a message, or a list of numbers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from tfaas_core.errors import BadBody, TooLarge
from tfaas_core.values.pieces import joined_bytes

Piece: TypeAlias = bytes | memoryview
"""Of a message, as bytes."""

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
"""The kinds of fields, which are the last three bits of a tag."""

_GROUP, _GROUP_END = 3, 4
_MOST_BYTES_OF_VARINT = 10
_MOST_BYTES_OF_TAG = 5
_LOWEST_TAG, _HIGHEST_TAG = 8, (1 << 32) - 1
_DEEPEST = 100
_MOST_IN_GROUPS = 10_000
"""Tags of all groups of a message, the first and the last one of each included."""

_MORE = 0x80
_ONE_BYTE = [bytes([value]) for value in range(_MORE)]
_MOST_BYTES = (1 << 31) - 1024


class Broken(BadBody):
    """The bytes are no message."""


def tag_of(number: int, kind: int) -> int:
    """What stands before a field of this number and kind."""
    return number << 3 | kind


def fields(body: bytes, at: int = 0, end: int | None = None) -> Iterator[tuple[int, int, int]]:
    """Each field of the message from ``at`` to ``end``: its tag, and where its content is.

    The content of a number is its bytes, and groups, which nobody writes any more, are passed over.
    Raises Broken where the message is broken, and BadBody where groups hold too much; until then,
    there were the fields before.
    """
    end = len(body) if end is None else end
    left = _MOST_IN_GROUPS
    try:
        while at < end:
            tag = body[at]
            start = at + 1
            if tag > 0x7F:
                tag, start = _tag(body, at)
            kind = tag & 7
            if tag < _LOWEST_TAG:
                raise _broken(at, "is no tag")
            if kind == LENGTH:
                size = body[start]
                start += 1
                if size > 0x7F:
                    size, start = varint_at(body, start - 1)
                at = start + size
            elif kind == _GROUP:
                at, left = _after_group(body, start, tag >> 3, left)
                continue
            else:
                at = _after_number(body, start, kind)
            if at <= end:
                yield tag, start, at
    except IndexError:
        at = end + 1
    if at > end:
        raise Broken(f"the message is broken: it ends within a field, at byte {end}")


def last_field(body: bytes, at: int = 0, end: int | None = None) -> tuple[int, int, int]:
    """The last one that ``fields`` gives; of no tag, if there is none. Raises as that."""
    last = deque(fields(body, at, end), 1)
    return last[0] if last else (0, at, at)


def varint_at(body: Piece, at: int) -> tuple[int, int]:
    """A number, and where it ends. Raises Broken if it does not, and IndexError past the body."""
    number = 0
    for index in range(_MOST_BYTES_OF_VARINT):
        byte = body[at + index]
        number |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return number, at + index + 1
    raise _broken(at, "begins a number that does not end")


def varint(value: int) -> bytes:
    """A number of 64 bits, which is not negative."""
    if value < _MORE:
        return _ONE_BYTE[value]
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)


def field(number: int, pieces: Sequence[Piece]) -> list[Piece]:
    """A field that holds what the pieces are together: what stands before them, and they."""
    return [varint(tag_of(number, LENGTH)) + varint(sum(map(len, pieces))), *pieces]


def message_of(pieces: Sequence[Piece]) -> bytes:
    """The message that the pieces are together. Raises TooLarge for one that nobody could read."""
    if sum(map(len, pieces)) > _MOST_BYTES:
        raise TooLarge("the outputs are more than a message of gRPC can hold; ask for fewer")
    return joined_bytes(pieces)


def _tag(body: bytes, at: int) -> tuple[int, int]:
    tag, end = varint_at(body, at)
    if end - at > _MOST_BYTES_OF_TAG or not _LOWEST_TAG <= tag <= _HIGHEST_TAG:
        raise _broken(at, "is no tag")
    return tag, end


def _after_number(body: bytes, at: int, kind: int) -> int:
    if kind == VARINT:
        return at + 1 if body[at] < 0x80 else varint_at(body, at)[1]
    if kind == FIXED32:
        return at + 4
    if kind == FIXED64:
        return at + 8
    raise _broken(at - 1, "is no tag")


def _after_group(body: bytes, at: int, number: int, left: int) -> tuple[int, int]:
    """Where the group ends that begins before ``at``, and what it leaves of ``left`` tags."""
    inside = [number]
    left -= 1
    while inside:
        left -= 1
        if left < 0:
            raise BadBody(
                f"the message has groups of more than {_MOST_IN_GROUPS} tags; leave them out, "
                "since nothing here reads groups"
            )
        tag, start = _tag(body, at)
        kind = tag & 7
        if kind == _GROUP:
            inside.append(tag >> 3)
            at = start
        elif kind == _GROUP_END:
            if inside.pop() != tag >> 3:
                raise _broken(at, "ends no group")
            at = start
        elif kind == LENGTH:
            size, start = varint_at(body, start)
            at = start + size
        else:
            at = _after_number(body, start, kind)
        if len(inside) > _DEEPEST:
            raise Broken(f"the message is broken: groups are nested more than {_DEEPEST} deep")
    return at, left


def _broken(at: int, how: str) -> Broken:
    return Broken(f"the message is broken: byte {at} {how}")
