"""Waiting for what comes true by itself: ``until`` in a thread, ``eventually`` in an event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator

_PAUSE_S = 0.005


def until(condition: Callable[[], bool], within_s: float = 30.0, what: str = "this") -> None:
    """Asks again and again until the answer is yes; raises AssertionError if that takes too long.

    ``what`` ought to come true, as the error calls it.
    """
    for _turn in _asked(condition, within_s, what):
        time.sleep(_PAUSE_S)


async def eventually(condition: Callable[[], bool], what: str, within_s: float = 10.0) -> None:
    """As ``until``, but lets the event loop go on meanwhile."""
    for _turn in _asked(condition, within_s, what):
        await asyncio.sleep(_PAUSE_S)


def _asked(condition: Callable[[], bool], within_s: float, what: str) -> Iterator[None]:
    end_s = time.monotonic() + within_s
    while not condition():
        if time.monotonic() >= end_s:
            raise AssertionError(f"not within {within_s:g} s: {what}")
        yield
