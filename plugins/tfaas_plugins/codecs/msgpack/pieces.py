"""Pieces: large arrays, of which a part at a time is written as MessagePack."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any

import msgspec

from tfaas_core.tensors import Array
from tfaas_core.values.pieces import gathered, joined_bytes, pieces
from tfaas_plugins.codecs.msgpack.heads import list_head, map_head

MOST_AT_ONCE = 1 << 15
"""Elements."""


class Pieces(msgspec.Struct, frozen=True):
    """MessagePack of a large array: what stands one behind the other, asked for once."""

    parts: Iterable[bytes | memoryview]


def dumped(shown: Any) -> bytes:
    """``shown`` as MessagePack: a value, or some by name, each of which may be Pieces."""
    is_plain = type(shown) is not Pieces and (
        type(shown) is not dict or Pieces not in map(type, shown.values())
    )
    return msgspec.msgpack.encode(shown) if is_plain else joined_bytes(_all_parts(shown))


def dumping(shown: Any) -> Generator[bytes]:
    """The same, in pieces, each of which is made when it is asked for."""
    return gathered(_all_parts(shown))


def _all_parts(shown: Any) -> Iterator[bytes | memoryview]:
    if type(shown) is not dict:
        yield from _parts(shown)
        return
    yield map_head(len(shown))
    for name, value in shown.items():
        yield msgspec.msgpack.encode(name)
        yield from _parts(value)


def _parts(value: Any) -> Iterable[bytes | memoryview]:
    return value.parts if type(value) is Pieces else (msgspec.msgpack.encode(value),)


def in_pieces(array: Array, write: Callable[[Array], bytes]) -> Iterator[bytes]:
    """The array, of one axis at least, as nested lists. ``write`` gives those of a part of it."""
    if array.size <= MOST_AT_ONCE:
        yield write(array)
        return
    yield list_head(len(array))
    size = array.size // len(array)
    for part in pieces(array, MOST_AT_ONCE // size or 1):
        if size > MOST_AT_ONCE:
            yield from in_pieces(part[0], write)
        else:
            yield write(part)[len(list_head(len(part))) :]
