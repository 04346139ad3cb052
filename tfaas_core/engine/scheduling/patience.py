"""Patience: how many rows may wait for a model so that the last of them is answered in time."""

from __future__ import annotations

import time
from collections.abc import Callable

_SHARE = 0.6
"""Of the time that there is: what is known of the wait is a little old."""
_QUIET = 0.1
"""Whoever waits less than this share of it, or for less than a run, is in no queue to speak of."""
_FEWEST_RUNS = 2
"""Somebody may wait for one run and have another, however long runs take."""
_NEWEST = 0.2
_LASTS = 2.0
"""As many times that time, or the last wait if it was longer, after an answer its queue is over."""

ANY = 2**62
"""No bound."""


class Patience:
    """Learns from each answer how long a row waits for each of those before it.

    While answers come soon there is no bound, so that a burst is taken whole, and batched.
    """

    __slots__ = ("_clock", "_known_until_s", "_max_wait_s", "_most_ahead", "_row_s")

    def __init__(self, max_wait_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_wait_s = max_wait_s
        self._clock = clock
        self._row_s = 0.0
        self._most_ahead = ANY
        self._known_until_s = 0.0

    def most_ahead(self) -> int:
        """How many rows may be in flight before another is taken."""
        if self._row_s and self._clock() > self._known_until_s:
            self._forget()
        return self._most_ahead

    def answered(self, rows: int, took_s: float, run_s: float, last_rows: int = 0) -> None:
        """An answer took ``took_s``; when it was asked for, ``rows`` were in flight with it.

        ``run_s``: for how long the model computed. ``last_rows``: those of the request that was
        asked for last. If there were no others, it waited for none, however long it took.
        """
        is_first = rows == last_rows
        if is_first or took_s < max(_QUIET * self._max_wait_s, _FEWEST_RUNS * run_s):
            if self._row_s:
                self._forget()
            return
        row_s = took_s / max(rows, 1)
        self._row_s = row_s + (self._row_s - row_s) * (1 - _NEWEST) if self._row_s else row_s
        in_time_s = max(_SHARE * self._max_wait_s, _FEWEST_RUNS * run_s)
        self._most_ahead = int(in_time_s / self._row_s)
        self._known_until_s = self._clock() + _LASTS * max(self._max_wait_s, took_s)

    def _forget(self) -> None:
        self._row_s, self._most_ahead = 0.0, ANY
