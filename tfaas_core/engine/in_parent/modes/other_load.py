"""OtherLoad: whether processes that are measured had to wait for cores that others had."""

from __future__ import annotations

import os
from collections.abc import Collection

from tfaas_core.system.resources.idle_cores import IdleCores
from tfaas_core.system.resources.thread_times import moment_of

_NOTICEABLE = 0.1
"""Of the time: for so long they waited, and others had a core."""


class OtherLoad:
    """Looks from now on; ``pids`` are the processes that are measured.

    Where threads of their own keep each other waiting, or others leave cores idle, that is none.
    """

    def __init__(self, pids: Collection[int]) -> None:
        self._pids = pids
        self._idle = IdleCores()
        self._began = moment_of(pids)
        self._idle.since(self._began.now_s)

    def is_felt(self) -> bool:
        """Whether there has been any that matters; none, if the kernel does not count."""
        now, began = moment_of(self._pids), self._began
        lasted_s = now.now_s - began.now_s
        idle_s = self._idle.since(now.now_s) * lasted_s
        others_s = lasted_s * len(os.sched_getaffinity(0)) - idle_s - (now.busy_s - began.busy_s)
        waited_s = now.starved_s - began.starved_s
        return min(waited_s, others_s) > _NOTICEABLE * lasted_s
