"""Demand: whether a version needs another process, or has one too many."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import msgspec

KEEP_S = 30.0
"""For how long one that is not needed stays: it may be needed again."""

_BUSY = 0.7
"""All run for this share of the time, and more rows are in flight than there are processes: some
wait that another process could run."""
_LOOKS = 2
"""In so many looks in a row."""
_ENOUGH = 0.6
"""One fewer would do if all together ran for no longer than this share of the time of the others.
"""


class Sight(msgspec.Struct, frozen=True):
    """What the meter of one process shows: for how long it has run in all, and rows in flight.

    ``ticket`` tells it from the others.
    """

    ticket: int
    busy_ns: int
    rows: int


class Demand:
    """Learns from looks at all processes of one version, a few a second."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._busy_ns: dict[int, int] = {}
        self._looked_s = clock()
        self._needed_s = clock()
        self._long_looks = 0

    def look(self, sights: Sequence[Sight]) -> None:
        """Takes note of how busy they have been since the last look."""
        now_s = self._clock()
        elapsed_ns = max((now_s - self._looked_s) * 1e9, 1.0)
        # One that is new was not busy yet: the queue is not long before it has had its share.
        spans = [sight.busy_ns - self._busy_ns.get(sight.ticket, sight.busy_ns) for sight in sights]
        busy = sum(min(span / elapsed_ns, 1.0) for span in spans)
        count, rows = len(sights), sum(sight.rows for sight in sights)
        is_long = count > 0 and busy >= _BUSY * count and rows > count
        self._long_looks = self._long_looks + 1 if is_long else 0
        if busy > _ENOUGH * (count - 1) or count <= 1:
            self._needed_s = now_s
        self._busy_ns = {sight.ticket: sight.busy_ns for sight in sights}
        self._looked_s = now_s

    def needs_more(self) -> bool:
        """Whether rows have waited, for a while, though all were running."""
        return self._long_looks >= _LOOKS

    def needs_fewer(self) -> bool:
        """Whether one fewer would have done for long; asked again, only after as long again."""
        if self._looked_s - self._needed_s < KEEP_S:
            return False
        self._needed_s = self._looked_s
        return True
