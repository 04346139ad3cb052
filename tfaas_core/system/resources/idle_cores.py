"""Idle cores: how many of those that this process may use have nothing to do."""

from __future__ import annotations

import os
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_IDLE, _IO_WAIT = 4, 5
"""Where a core's line of /proc/stat has the time that it had nothing to run."""


class IdleCores:
    """Tells how many of the usable cores were idle, on average, since it was asked before."""

    def __init__(self, stat: Path = Path("/proc/stat")) -> None:
        self._stat = stat
        self._idle_s: float | None = None
        self._at_s = 0.0

    def since(self, now_s: float) -> float:
        """``now_s``: a monotonic time. 0 at first, and if the machine does not tell."""
        idle_s, before_s, elapsed_s = self._read(), self._idle_s, now_s - self._at_s
        self._idle_s, self._at_s = idle_s, now_s
        if idle_s is None or before_s is None or elapsed_s <= 0:
            return 0.0
        return (idle_s - before_s) / elapsed_s

    def _read(self) -> float | None:
        names = {f"cpu{number}" for number in os.sched_getaffinity(0)}
        try:
            lines = [line.split() for line in self._stat.read_text().splitlines()]
            found = [fields for fields in lines if fields and fields[0] in names]
            ticks = sum(int(fields[at]) for fields in found for at in (_IDLE, _IO_WAIT))
        except (OSError, ValueError, IndexError):
            return None
        return ticks / _TICKS_PER_S if found else None
