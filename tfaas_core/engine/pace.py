"""Pace: a model whose runs keep a core busy for long gives way to faster ones."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from tfaas_core.config import SlowPriority
from tfaas_core.engine.shared_numbers import SharedNumbers

_LONG_S = 0.01
_LONG_RUNS = 3
_NICENESS = 10
_PAUSE_NS = 100_000_000
"""A model that runs again within it is one that runs all the time."""


class SlowRuns:
    """Until when models that gave way may be expected to run; all model processes share it."""

    def __init__(self, numbers: SharedNumbers) -> None:
        self._numbers = numbers
        self._cells = numbers.cells
        self._until_ns = 0

    @classmethod
    def create(cls) -> SlowRuns:
        """None is expected yet."""
        return cls(SharedNumbers.create(1))

    @classmethod
    def of(cls, descriptor: int) -> SlowRuns:
        """Those behind a received descriptor, which it takes over."""
        return cls(SharedNumbers(descriptor))

    @property
    def descriptor(self) -> int:
        """What another process needs to share it."""
        return self._numbers.descriptor

    def run_begins(self, likely_s: float) -> None:
        """Called by a process that gave way, with how long its run is likely to last at most."""
        self._until_ns = time.monotonic_ns() + int(likely_s * 1e9)
        self._cells[0] = max(self._cells[0], self._until_ns)

    def run_ends(self) -> None:
        """Called by the same after the run."""
        # Another's longer run may not be over yet.
        if self._cells[0] == self._until_ns:
            self._cells[0] = time.monotonic_ns() + _PAUSE_NS

    def expected(self) -> bool:
        """Whether one may be running now."""
        return time.monotonic_ns() < self._cells[0]

    def close(self) -> None:
        self._numbers.close()


class Pace:
    """Watches the runs of a process with one servable.

    After three runs in a row that took 10 ms of processor time each, the process's threads get
    ``priority``, for good: only root may take that back. ``idle`` is the scheduler's SCHED_IDLE,
    which runs where nothing else wants the core, and is preempted at once; ``low`` a niceness of 10
    more; ``normal`` changes nothing. See sched(7).
    """

    def __init__(self, priority: SlowPriority, slow_runs: SlowRuns) -> None:
        self._priority = priority
        self._slow_runs = slow_runs
        self._long_runs = 0
        self._gave_way = False
        self._begin_s = 0.0
        self._duration_s = 0.0
        self._busy_s = 0.0

    def run_begins(self) -> None:
        """Called before each run."""
        self._begin_s = time.monotonic()
        if self._gave_way:
            self._slow_runs.run_begins(2 * self._duration_s)

    def run_ends(self) -> None:
        """Called after each run."""
        self._duration_s = time.monotonic() - self._begin_s
        if self._gave_way:
            self._slow_runs.run_ends()
        elif self._duration_s < _LONG_S or self._priority == "normal":
            self._long_runs = 0
        else:
            # A run that waited, for a core perhaps, was long by the clock alone.
            busy_s, self._busy_s = self._busy_s, time.process_time()
            self._long_runs = self._long_runs + 1 if self._busy_s - busy_s >= _LONG_S else 0
            if self._long_runs == _LONG_RUNS:
                self._give_way()

    def beside_slow_runs(self) -> bool:
        """Whether a process that gave way may be running now."""
        return self._slow_runs.expected()

    def close(self) -> None:
        self._slow_runs.close()

    def _give_way(self) -> None:
        self._gave_way = True
        niceness = os.getpriority(os.PRIO_PROCESS, 0) + _NICENESS
        for thread in Path("/proc/self/task").glob("*"):
            # It may end just now.
            with suppress(OSError):
                if self._priority == "idle":
                    os.sched_setscheduler(int(thread.name), os.SCHED_IDLE, os.sched_param(0))
                else:
                    os.setpriority(os.PRIO_PROCESS, int(thread.name), niceness)
