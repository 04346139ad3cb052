"""SenderClock: deadlines that another machine set, by this machine's clock."""

from __future__ import annotations

import math
import time

_FORGETS_S = 60.0
"""Clocks drift apart: what was seen is forgotten after one to two of these."""


class SenderClock:
    """What a sender's ``time.monotonic`` is here, as its frames tell.

    Each has the same time left when it is sent, ``timeout_s``, so its deadline tells when that was.
    The frame that came fastest of late tells how far the clocks are apart; so what others waited
    for in the socket, while a run lasted, is no time that they have left. A deadline is never
    later than ``timeout_s`` from now.
    """

    def __init__(self, sent_s: float, timeout_s: float, came_s: float | None = None) -> None:
        """``sent_s``: the sender's clock, as something was sent that came at ``came_s`` of ours."""
        now_s = time.monotonic() if came_s is None else came_s
        self._timeout_s = timeout_s
        self._before, self._now = math.inf, now_s - sent_s
        self._since_s = now_s

    def here(self, deadline_s: float) -> float:
        """When the deadline of a frame that came just now is, by ``time.monotonic`` here.

        What is no such time, or one too long ago, has passed.
        """
        now_s = time.monotonic()
        apart_s = now_s - (deadline_s - self._timeout_s)
        if not math.isfinite(apart_s):
            return -math.inf
        if now_s - self._since_s > _FORGETS_S:
            self._before, self._now, self._since_s = self._now, apart_s, now_s
        self._now = min(self._now, apart_s)
        return deadline_s + min(self._before, self._now)
