"""Pieces: large arrays, of which a part at a time is written as JSON.

A call that writes millions of numbers, or copies what was written of them, lets nothing else run,
not even in another thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
import orjson

from tfaas_core.tensors import Array
from tfaas_core.values.pieces import joined_bytes, pieces

MOST_AT_ONCE = 1 << 15
"""Elements."""

_PLACE = b"\xff"
"""What no JSON has in it."""


class Pieces(msgspec.Struct, frozen=True):
    """JSON of a large value: what stands one behind the other."""

    parts: Sequence[bytes]


def dumped(document: Any) -> bytes:
    """``document`` as JSON; there may be arrays in it, fragments, and Pieces."""
    try:
        return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)
    except orjson.JSONEncodeError:
        return _dumped_in_pieces(document)


def _dumped_in_pieces(document: Any) -> bytes:
    found: list[Pieces] = []

    def place(value: Any) -> orjson.Fragment:
        if type(value) is not Pieces:
            raise TypeError
        found.append(value)
        return orjson.Fragment(_PLACE)

    text = orjson.dumps(document, default=place, option=orjson.OPT_SERIALIZE_NUMPY)
    first, *others = text.split(_PLACE)
    parts = [first]
    for each, behind in zip(found, others, strict=True):
        parts += (*each.parts, behind)
    return joined_bytes(parts)


def in_pieces(array: Array, write: Callable[[Array], bytes]) -> Iterator[bytes]:
    """The array, of one axis at least, as nested lists. ``write`` gives those of a part of it."""
    if array.size <= MOST_AT_ONCE:
        yield write(array) if array.size else orjson.dumps(array.tolist())
        return
    yield b"["
    size = array.size // len(array)
    for place, part in enumerate(pieces(array, MOST_AT_ONCE // size or 1)):
        if place:
            yield b","
        if size > MOST_AT_ONCE:
            yield from in_pieces(part[0], write)
        else:
            yield write(part)[1:-1]
    yield b"]"
