"""Stopped: notices processes that somebody has stopped (SIGSTOP), and that nobody lets go on."""

from __future__ import annotations

from pathlib import Path

import msgspec

LOOK_EVERY_S = 1.0
_MOST_LOOKS = 5

_BY_SIGNAL = "T"


def state_of(pid: int) -> str:
    """The kernel's letter for what a process does: R, S, D, T ...; empty if it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
    # The name before it may hold anything.
    return stat.rpartition(")")[2].strip()[:1]


class Stopped(msgspec.Struct):
    """What is seen of one process, by a look every ``LOOK_EVERY_S``.

    Looks are counted, not times: if all of the server was stopped, as by Ctrl-Z, nobody is to
    blame. One that a debugger holds is left alone.
    """

    looks: int = 0

    def for_long(self, pid: int) -> bool:
        """A look. Whether it was stopped in each of the last ones."""
        self.looks = self.looks + 1 if state_of(pid) == _BY_SIGNAL else 0
        return self.looks >= _MOST_LOOKS
