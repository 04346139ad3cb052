"""Ending: how a process ended, as far as that is known."""

from __future__ import annotations

import signal

import msgspec


class Ending(msgspec.Struct, frozen=True):
    """``code`` is the exit code; below 0, the signal; None if nobody could see it.

    ``out_of_memory``: the kernel has killed a process meanwhile, because there was no memory left.
    """

    code: int | None = None
    out_of_memory: bool = False

    @property
    def is_from_outside(self) -> bool:
        """Whether somebody else may have ended it, rather than what it was doing."""
        return self.code is None or self.code == -signal.SIGKILL

    def __str__(self) -> str:
        """As the end of a sentence: ``was killed by SIGABRT``."""
        if self.code is None:
            return "ended, and nobody saw how"
        if self.code >= 0:
            return f"ended with exit code {self.code}"
        if self.code == -signal.SIGKILL and self.out_of_memory:
            return "was killed by the kernel (SIGKILL), because there was no memory left"
        return f"was killed by {_name(-self.code)}"


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"
