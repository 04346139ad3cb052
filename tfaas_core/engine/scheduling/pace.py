"""Pace: a model whose runs keep a core busy for long gives way to faster ones."""

from __future__ import annotations

import os
import time
from contextlib import suppress

from tfaas_core.engine.scheduling.slow_runs import SlowRuns
from tfaas_core.sandbox.kernel_files import own_threads
from tfaas_core.settings.tables import SlowPriority

_LONG_NS = 10_000_000
_LONG_RUNS = 3
_NICENESS = 10
_SHARED = 1.25
"""A run is shared by threads if all of them take as many times what the busiest one does."""

_OF_A_THREAD = 0b110
"""The clock of the processor time of a thread, see clock_getcpuclockid(3) and the kernel's
posix-timers.h."""

_PATIENCE = 10
"""A run that gave way is due after as many times the most processor time that one has taken."""


class Pace:
    """Watches the runs of a process with one servable.

    After three runs in a row that took 10 ms of processor time each, the process's threads get
    ``priority``, for good: only root may take that back. ``idle`` is the scheduler's SCHED_IDLE,
    which runs if nothing else wants the core, and is preempted at once; ``low`` a niceness of 10
    more; ``normal`` changes nothing. See sched(7).

    Of runs that several threads share, ``idle`` is ``low``: to Linux, a core on which nothing but
    SCHED_IDLE runs is a free one, so it wakes such threads on one core, beside another that is
    free.
    """

    def __init__(self, priority: SlowPriority, slow_runs: SlowRuns) -> None:
        self._priority = priority
        self._slow_runs = slow_runs
        self._long_runs = 0
        self._gave_way = False
        self._begin_ns = 0
        self._busy_ns = 0
        self._most_busy_ns = 0
        self._busy_before: dict[int, int] = {}

    def run_begins(self) -> int:
        """Called before each run; tells when it is due, if the process gave way; 0: it did not."""
        self._begin_ns = time.monotonic_ns()
        if self._long_runs == _LONG_RUNS - 1 and not self._gave_way:
            self._busy_before = _busy_ns_by_thread()
        if not self._gave_way:
            return 0
        due_ns = self._begin_ns + _PATIENCE * self._most_busy_ns
        self._slow_runs.run_begins(due_ns)
        return due_ns

    def run_ends(self) -> None:
        """Called after each run."""
        is_long = time.monotonic_ns() - self._begin_ns >= _LONG_NS
        if self._priority == "normal" or not (is_long or self._gave_way):
            self._long_runs = 0
            return
        # A run that waited, for a core perhaps, was long by the clock alone.
        busy_ns, self._busy_ns = self._busy_ns, time.process_time_ns()
        run_busy_ns = self._busy_ns - busy_ns
        if self._gave_way:
            self._most_busy_ns = max(self._most_busy_ns, run_busy_ns)
            self._slow_runs.run_ends()
            return
        self._long_runs = self._long_runs + 1 if run_busy_ns >= _LONG_NS else 0
        if self._long_runs == _LONG_RUNS:
            self._most_busy_ns = run_busy_ns
            self._give_way()

    def beside_slow_runs(self) -> bool:
        """Whether a process that gave way may be running now."""
        return self._slow_runs.expected()

    def close(self) -> None:
        self._slow_runs.close()

    def _give_way(self) -> None:
        self._gave_way = True
        niceness = os.getpriority(os.PRIO_PROCESS, 0) + _NICENESS
        is_idle = self._priority == "idle" and not self._is_shared_by_threads()
        for thread in own_threads():
            # It may end just now.
            with suppress(OSError):
                if is_idle:
                    os.sched_setscheduler(thread, os.SCHED_IDLE, os.sched_param(0))
                else:
                    os.setpriority(os.PRIO_PROCESS, thread, niceness)

    def _is_shared_by_threads(self) -> bool:
        """Whether the run that has just ended kept more than one thread busy."""
        before, after = self._busy_before, _busy_ns_by_thread()
        busy_ns = [after[thread] - before.get(thread, 0) for thread in after]
        return sum(busy_ns) > _SHARED * max(busy_ns, default=0)


def _busy_ns_by_thread() -> dict[int, int]:
    """The processor time of each thread of this process."""
    found = {}
    for thread in own_threads():
        # It may end just now.
        with suppress(OSError):
            found[thread] = time.clock_gettime_ns(~thread << 3 | _OF_A_THREAD)
    return found
