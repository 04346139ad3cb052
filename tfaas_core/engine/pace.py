"""Pace: a model whose runs keep a core busy for long gives way to faster ones."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

_LONG_S = 0.01
_LONG_RUNS = 3


class Pace:
    """Watches the runs of a process with one servable.

    After three runs in a row that took 10 ms of processor time each, the process's threads are
    ``niceness`` nicer, for good: only root may take that back. With 0, nothing happens.
    """

    def __init__(self, niceness: int) -> None:
        self._niceness = niceness
        self._long_runs = 0
        self._busy_s = 0.0

    def ran(self, duration_s: float) -> None:
        """Called after each run, with how long it took by the clock."""
        if duration_s < _LONG_S:
            self._long_runs = 0
            return
        if not self._niceness:
            return
        # A run that waited, for a core perhaps, was long by the clock alone.
        busy_s, self._busy_s = self._busy_s, time.process_time()
        self._long_runs = self._long_runs + 1 if self._busy_s - busy_s >= _LONG_S else 0
        if self._long_runs == _LONG_RUNS:
            self._give_way()

    def _give_way(self) -> None:
        niceness = os.getpriority(os.PRIO_PROCESS, 0) + self._niceness
        for thread in Path("/proc/self/task").glob("*"):
            # It may end just now.
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, int(thread.name), niceness)
        self._niceness = 0
