"""Heartbeat: notices an HTTP worker that is stopped, or whose event loop does not go on."""

from __future__ import annotations

from collections.abc import Callable

from tfaas_core.system.lives.stopped import LOOK_EVERY_S, Stopped, state_of
from tfaas_core.system.resources.thread_times import Moment, main_moment

SLEEP_LIMIT_S = 8.0
"""For a worker that sleeps: so it is replaced within ten seconds of when it began to."""

SHORTEST_S = 10.0
"""For one that does not."""

_ASLEEP, _STARVED, _OWN = "S", "R", ("S", "R", "D")
"""Waits for anything but a disk; could run; what its own doing is, and no debugger's."""


class Heartbeat:
    """What the parent sees of one worker, by a look every ``LOOK_EVERY_S``.

    A worker that does not answer is silent. Then its main thread may sleep, and neither run nor
    wait for a core, for ``SLEEP_LIMIT_S``; and compute, or wait for disks, for ``limit_s``, which
    is beyond every deadline, and ``SHORTEST_S`` at least. That it waits for a core does not count:
    the machine is busy.
    """

    def __init__(self, pid: int, ask: Callable[[], None], limit_s: float) -> None:
        self._pid = pid
        self._ask = ask
        self._limit_s = max(limit_s, SHORTEST_S)
        self._stopped = Stopped()
        self._is_asked = False
        self._sleeping_looks = 0
        self._silent_looks = 0.0
        self._seen = Moment(0.0)

    def answered(self) -> None:
        """The worker has answered what ``ask`` asked."""
        self._is_asked = False

    def fault(self, is_serving: bool) -> str:
        """A look. Why the worker has to be replaced, a clause; empty if it has not."""
        if self._stopped.for_long(self._pid):
            return "is stopped"
        if not is_serving:
            return ""
        self._look()
        if self._sleeping_looks * LOOK_EVERY_S >= SLEEP_LIMIT_S:
            return f"has answered nothing and done nothing for {SLEEP_LIMIT_S:g} s"
        if self._silent_looks * LOOK_EVERY_S >= self._limit_s:
            return f"has answered nothing for {self._limit_s:g} s in which it had a core"
        return ""

    def _look(self) -> None:
        before, self._seen = self._seen, main_moment(self._pid)
        if not self._is_asked:
            self._is_asked, self._sleeping_looks, self._silent_looks = True, 0, 0.0
            self._ask()
        # Where nobody counts times, nothing is known.
        elif self._seen.busy_s:
            self._count(before, self._seen, state_of(self._pid))

    def _count(self, before: Moment, seen: Moment, state: str) -> None:
        starved_s = seen.starved_s - before.starved_s
        is_still = seen.busy_s == before.busy_s and not starved_s
        self._sleeping_looks = self._sleeping_looks + 1 if is_still and state == _ASLEEP else 0
        # The time that it waits for a core is counted once it has got one.
        if state in _OWN and not (is_still and state == _STARVED):
            self._silent_looks += max(0.0, 1 - starved_s / (seen.now_s - before.now_s))
