"""BusyPoll: looking again and again for what is likely to come soon, instead of sleeping."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TypeVar

_IN_WORKER_MOST_S = 0.001

_T = TypeVar("_T")


class BusyPoll:
    """To sleep and be woken takes longer than a small model's run: what is awaited is polled first.

    That is done for ``limit_s``, as long as what was awaited last came within that time.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._comes_soon = False
        self._begin_s: float | None = None

    @classmethod
    def in_worker(cls, limit_s: float) -> BusyPoll:
        """An HTTP worker's: not for long, since it has other connections to look after."""
        return cls(min(limit_s, _IN_WORKER_MOST_S))

    def begins(self, now_s: float) -> None:
        """Called when something is awaited from now on."""
        self._begin_s = now_s

    def look(self, find: Callable[[], _T | None], yields: bool = True) -> _T | None:
        """What ``find`` gives, unless that is None for too long.

        ``yields``: whether others may have this core between two looks.
        """
        if not self._comes_soon or self._begin_s is None:
            return None
        end_s = self._begin_s + self._limit_s
        while time.monotonic() < end_s:
            if (found := find()) is not None:
                return found
            if yields:
                os.sched_yield()
        return None

    def ends(self) -> None:
        """Called when what was awaited has come; does nothing if nothing is awaited."""
        if self._begin_s is not None:
            self._comes_soon = time.monotonic() - self._begin_s < self._limit_s
            self._begin_s = None
