"""Pieces: large arrays, of which a part at a time is written as JSON.

A call that writes millions of numbers lets nothing else run, not even in another thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import orjson

from tfaas_core.tensors import Array

MOST_AT_ONCE = 1 << 15
"""Elements."""


def in_pieces(array: Array, write: Callable[[Array], bytes]) -> bytes:
    """The array, of one axis at least, as nested lists. ``write`` gives those of a part of it."""
    return b"[%b]" % b",".join(_inner(array, write))


def _inner(array: Array, write: Callable[[Array], bytes]) -> Iterator[bytes]:
    """What stands between the brackets."""
    if not array.size:
        yield orjson.dumps(array.tolist())[1:-1]
        return
    size = array.size // len(array)
    if size > MOST_AT_ONCE:
        yield from (in_pieces(element, write) for element in array)
        return
    step = MOST_AT_ONCE // size
    for at in range(0, len(array), step):
        yield write(array[at : at + step])[1:-1]
