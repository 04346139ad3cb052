"""Heartbeat: notices an HTTP worker that is stopped, or whose event loop will never go on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tfaas_core.system.lives.stopped import LOOK_EVERY_S, Stopped, state_of

SHORTEST_S = 10.0

_ASLEEP = ("S", "D")
"""Not ready to run (R), nor held by a debugger (t)."""


class Heartbeat:
    """What the parent sees of one worker, by a look every ``LOOK_EVERY_S``.

    A worker that does not answer is silent. If its main thread has run, or waited for a core, since
    the look before, it is busy, or the machine is: it is silent anew. ``limit_s``: for so long a
    worker that sleeps may be silent; it is beyond every deadline, and ``SHORTEST_S`` at least.
    """

    def __init__(self, pid: int, ask: Callable[[], None], limit_s: float) -> None:
        self._pid = pid
        self._ask = ask
        self._most_looks = max(limit_s, SHORTEST_S) / LOOK_EVERY_S
        self._stopped = Stopped()
        self._is_asked = False
        self._silent_looks = 0
        self._times = ""

    def answered(self) -> None:
        """The worker has answered what ``ask`` asked."""
        self._is_asked = False

    def fault(self, is_serving: bool) -> str:
        """A look. Why the worker has to be replaced, a clause; empty if it has not."""
        if self._stopped.for_long(self._pid):
            return "is stopped"
        if is_serving and self._sleeps():
            silent_s = self._silent_looks * LOOK_EVERY_S
            return f"has answered nothing and done nothing for {silent_s:g} s"
        return ""

    def _sleeps(self) -> bool:
        before, self._times = self._times, _times(self._pid)
        if not self._is_asked:
            self._is_asked, self._silent_looks = True, 0
            self._ask()
            return False
        has_slept = self._times == before != "" and state_of(self._pid) in _ASLEEP
        self._silent_looks = self._silent_looks + 1 if has_slept else 0
        return self._silent_looks >= self._most_looks


def _times(pid: int) -> str:
    """How long its main thread has run, and waited for a core; empty if nobody counts that."""
    try:
        return Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii")
    except OSError:
        return ""
