"""Waiting for what comes true by itself: ``until`` in a thread, ``eventually`` in an event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator

USUAL_WAIT_S = 30.0
"""How long they wait unless told otherwise."""

# The longer it takes, the more seldom they ask: to ask costs processor time, a list of processes
# milliseconds of it. What comes true is seen at most a tenth of the time later.
_PAUSE_S = 0.005
_LONGEST_PAUSE_S = 0.1
_PART = 0.1


def until(condition: Callable[[], bool], within_s: float | None = None, what: str = "this") -> None:
    """Asks again and again until the answer is yes; raises AssertionError if that takes too long.

    ``what`` ought to come true, as the error calls it.
    """
    for pause_s in _pauses(condition, within_s, what):
        time.sleep(pause_s)


async def eventually(
    condition: Callable[[], bool], what: str, within_s: float | None = None
) -> None:
    """As ``until``, but lets the event loop go on meanwhile."""
    for pause_s in _pauses(condition, within_s, what):
        await asyncio.sleep(pause_s)


def _pauses(condition: Callable[[], bool], within_s: float | None, what: str) -> Iterator[float]:
    """How long to wait, in seconds, after each time that the answer is no."""
    within_s = USUAL_WAIT_S if within_s is None else within_s
    start_s = time.monotonic()
    while not condition():
        waited_s = time.monotonic() - start_s
        if waited_s >= within_s:
            raise AssertionError(f"not within {within_s:g} s: {what}")
        yield min(max(_PAUSE_S, _PART * waited_s), _LONGEST_PAUSE_S)
