"""Pieces: what is long, a part at a time.

A call that goes through a million objects lets nothing else run, not even in another thread.
Between calls that go through a part of them each, others have their turn.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from itertools import chain
from time import perf_counter, sleep
from typing import Any, Protocol, Self, TypeVar

import numpy as np

from tfaas_core.tensors import Array

AT_ONCE = 1 << 16
"""Objects or numbers of a piece: whatever is done with each, that takes some milliseconds."""

BYTES_AT_ONCE = 1 << 20
"""Bytes of a piece that are copied, or searched."""

MOST_WHOLE_BYTES = 1 << 20
"""Of outputs: of larger ones, an answer is never there as a whole."""

_GATHERED_BYTES = 1 << 18
"""Of a piece that is sent by itself."""

_TURN_S = 0.005
"""Whoever waits asks for the interpreter after so long."""

_WAY_S = 0.00002
"""Until somebody who waits has it."""


class Sliced(Protocol):
    """A list, a tuple, a text, bytes, a view of them, or an array, which is cut along axis 0."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> Self: ...


S = TypeVar("S", bound=Sliced)
T = TypeVar("T")


def in_turn(items: Iterable[T]) -> Iterator[T]:
    """``items``; every few milliseconds, other threads have their turn before the next one.

    Without that, calls that free the interpreter for microseconds, as many of numpy's do, keep
    others waiting: each time, these are told that it is free when it is taken again.
    """
    since_s = perf_counter()
    for item in items:
        yield item
        if perf_counter() - since_s > _TURN_S:
            sleep(_WAY_S)
            since_s = perf_counter()


def pieces(whole: S, most: int = AT_ONCE) -> Iterator[S]:
    """``whole`` in parts of ``most`` items, the last one of fewer; itself, if it is no longer."""
    if len(whole) <= most:
        return iter((whole,))
    return in_turn(whole[at : at + most] for at in range(0, len(whole), most))


def kinds(values: list[Any]) -> set[type]:
    """The types that there are among ``values``."""
    if len(values) <= AT_ONCE:
        return set(map(type, values))
    return set().union(*(set(map(type, piece)) for piece in pieces(values)))


def chained(lists: list[list[T]]) -> list[T]:
    """The items of all ``lists``, one after the other."""
    if len(lists) == 1:
        return lists[0]
    if len(lists) <= AT_ONCE:
        return list(chain.from_iterable(lists))
    items: list[T] = []
    for piece in pieces(lists):
        items.extend(chain.from_iterable(piece))
    return items


def array_from(values: list[Any], dtype: np.dtype[Any]) -> Array:
    """As ``np.array``, of values alone: [values]. Raises what that raises."""
    if len(values) <= AT_ONCE:
        return np.array(values, dtype)
    array = np.empty(len(values), dtype)
    for place, piece in zip(pieces(array), pieces(values), strict=True):
        place[:] = np.array(piece, dtype)
    return array


def bytes_of(view: memoryview) -> bytes:
    """The bytes of which it is a view."""
    return bytes(view) if len(view) <= BYTES_AT_ONCE else joined_bytes([view])


def joined_bytes(parts: Iterable[bytes | memoryview]) -> bytes:
    """The bytes that ``parts`` are together."""
    copied: list[bytes] = []
    for part in parts:
        # While bytes alone are put together, other threads run; not so while there are views.
        if isinstance(part, bytes):
            copied.append(part)
        else:
            copied += map(bytes, pieces(part, BYTES_AT_ONCE))
    if len(copied) <= AT_ONCE:
        return b"".join(copied)
    return b"".join([b"".join(some) for some in pieces(copied)])


def gathered(parts: Iterable[bytes | memoryview]) -> Generator[bytes]:
    """The same bytes, in pieces that are neither very short nor very long."""
    waiting: list[bytes | memoryview] = []
    size = 0
    for part in parts:
        for piece in pieces(part, BYTES_AT_ONCE):
            waiting.append(piece)
            size += len(piece)
            if size >= _GATHERED_BYTES:
                yield b"".join(waiting)
                waiting, size = [], 0
    yield b"".join(waiting)
