"""What simdjson finds in a text, by a parser that is kept for the next one.

A new one takes memory that the system may have to clear, which takes as long as to parse.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

import simdjson

T = TypeVar("T")

_MOST_BYTES = 1 << 20
"""A parser has several times as much memory as its longest text has bytes."""

_kept: deque[simdjson.Parser] = deque(maxlen=1)
"""Of all threads: others, at the same time, have new ones."""


def read_parsed(text: bytes, read: Callable[[Any], T]) -> T:
    """What ``read`` makes of ``text``, of whose objects it may keep none.

    Raises what simdjson raises of a text, and what ``read`` does; then the parser is not kept,
    since a traceback may have such objects.
    """
    try:
        parser = _kept.pop()
    except IndexError:
        parser = simdjson.Parser()
    found = read(parser.parse(text))
    if len(text) <= _MOST_BYTES:
        _kept.append(parser)
    return found
