"""Patience: how many rows may wait for a model so that the last of them is answered in time."""

from __future__ import annotations

_SHARE = 0.6
"""Of the time that there is: what is known of the wait is a little old."""
_QUIET = 0.1
"""Whoever waits less than this share of it, or for less than a run, is in no queue to speak of."""
_FEWEST_RUNS = 2
"""Somebody may wait for one run and have another, however long runs take."""
_NEWEST = 0.2

ANY = 2**62
"""No bound."""


class Patience:
    """Learns from each answer how long a row waits for each of those before it.

    ``most_ahead``: rows that may be in flight before another is taken. While answers come soon
    there is no bound, so that a burst is taken whole, and batched.
    """

    __slots__ = ("_max_wait_s", "_row_s", "most_ahead")

    def __init__(self, max_wait_s: float) -> None:
        self._max_wait_s = max_wait_s
        self._row_s = 0.0
        self.most_ahead = ANY

    def answered(self, rows: int, took_s: float, run_s: float) -> None:
        """An answer took ``took_s``; when it was asked for, ``rows`` were in flight with it.

        ``run_s``: for how long the model computed.
        """
        if took_s < max(_QUIET * self._max_wait_s, _FEWEST_RUNS * run_s):
            if self._row_s:
                self._row_s, self.most_ahead = 0.0, ANY
            return
        row_s = took_s / max(rows, 1)
        self._row_s = row_s + (self._row_s - row_s) * (1 - _NEWEST) if self._row_s else row_s
        in_time_s = max(_SHARE * self._max_wait_s, _FEWEST_RUNS * run_s)
        self.most_ahead = int(in_time_s / self._row_s)
