"""BusyPoll: looking again and again for what is likely to come soon, instead of sleeping.

And Solo: whether it pays.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Hashable
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

    def wait(
        self, find: Callable[[], _T | None], sleep: Callable[[], _T], yields: bool = True
    ) -> _T:
        """What ``find`` gives, or else ``sleep``, which returns when something has come."""
        found = self.look(find, time.monotonic(), yields)
        if found is None:
            found = sleep()
        self.ends()
        return found

    def look(self, find: Callable[[], _T | None], begin_s: float, yields: bool = True) -> _T | None:
        """What ``find`` gives, unless that is None for too long.

        ``begin_s``: since when it is awaited. ``yields``: whether others may have this core between
        two looks.
        """
        self._begin_s = begin_s
        if not self._comes_soon:
            return None
        end_s = begin_s + self._limit_s
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


class Solo:
    """Who is the only one that asks, with one request at a time, and since when.

    Several keep the cores busy: what they ask next comes without being looked for, and those who
    look would take cores from it. ``quiet_s``: for how long no other must have asked.
    """

    def __init__(self, quiet_s: float = 0.001) -> None:
        self._quiet_s = quiet_s
        self._who: Hashable = None
        self._since_s = 0.0

    def is_of(self, who: Hashable, now_s: float) -> bool:
        """Called whenever ``who`` asks: whether no other has asked meanwhile."""
        if who != self._who:
            if self._who is not None:
                self._since_s = now_s
            self._who = who
        return now_s - self._since_s > self._quiet_s

    def has_company(self, now_s: float) -> None:
        """Called when a request has others beside it."""
        self._since_s = now_s
