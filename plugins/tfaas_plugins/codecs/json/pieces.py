"""Pieces: large arrays, of which a part at a time is written as JSON.

A call that writes millions of numbers, or copies what was written of them, lets nothing else run,
not even in another thread.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any

import msgspec
import orjson

from tfaas_core.tensors import Array
from tfaas_core.values.pieces import gathered, joined_bytes, pieces

MOST_AT_ONCE = 1 << 15
"""Elements."""

_PLACE = b"\xff"
"""What no JSON has in it."""


class Pieces(msgspec.Struct, frozen=True):
    """JSON of a large value: what stands one behind the other, asked for once."""

    parts: Iterable[bytes]


def dumped(document: Any) -> bytes:
    """``document`` as JSON; there may be arrays in it, fragments, and Pieces."""
    try:
        return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)
    except orjson.JSONEncodeError:
        return joined_bytes(_parts(document))


def dumping(document: Any) -> Generator[bytes]:
    """The same, in pieces, each of which is made when it is asked for."""
    return gathered(_parts(document))


def _parts(document: Any) -> Iterator[bytes]:
    found: list[Pieces] = []

    def place(value: Any) -> orjson.Fragment:
        if type(value) is not Pieces:
            raise TypeError
        found.append(value)
        return orjson.Fragment(_PLACE)

    text = orjson.dumps(document, default=place, option=orjson.OPT_SERIALIZE_NUMPY)
    first, *others = text.split(_PLACE)
    yield first
    for each, behind in zip(found, others, strict=True):
        yield from each.parts
        yield behind


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
