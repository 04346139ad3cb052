"""Lifeline: ends a process the moment that the one which started everything is gone.

A pipe, whose writing end only the owner has. When the owner ends, even by SIGKILL, the kernel
closes that end, and kills each process that is tied to the other one. It does so whatever these
are doing: importing a library, running a model, or sleeping. Linux's parent-death signal would not
do: it comes when the *thread* that started a process ends, and a model process, whose parent is a
fork server, is to outlive that.
"""

from __future__ import annotations

import atexit
import fcntl
import multiprocessing
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tfaas_core.system.resources.descriptors import raise_limit


class Lifeline:
    """Made, and kept, by the process that owns the others. ``end`` is what each of them gets."""

    def __init__(self) -> None:
        self._reading, self._writing = multiprocessing.Pipe(duplex=False)
        # Before multiprocessing waits for the processes that it started.
        atexit.register(self.close)

    def end(self, name: str) -> LifelineEnd:
        """For a process of this name, as ``ps`` shows it, of 15 bytes at most."""
        return LifelineEnd(self._reading, name)

    def inherited(self, name: str) -> LifelineEnd:
        """As ``end``, in a process that the owner has just forked: that is no owner."""
        atexit.unregister(self.close)
        self._writing.close()
        return self.end(name)

    def close(self) -> None:
        """Ends all that are tied. It is called when the owner ends, at the latest."""
        atexit.unregister(self.close)
        self._writing.close()
        self._reading.close()


class LifelineEnd:
    """The first argument of ``tied``: a spawned process that reads it is tied, and has its name.

    One that was started with the descriptor makes an end of its own, and calls ``tie``. So does one
    that is forked from a tied process: it is not tied before.
    """

    def __init__(self, reading: Connection, name: str) -> None:
        self._reading = reading
        self._name = name
        self._own: int | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return _tied_end, (self._reading, self._name)

    def fileno(self) -> int:
        """Of the pipe's end, for a process that is started with it."""
        return self._reading.fileno()

    def tie(self, name: str) -> None:
        """From now on, the calling process ends with the owner. Does not return if that is gone.

        It may have as many files open as it may by itself: its starter's limit, which it inherits,
        may be low at the moment.
        """
        raise_limit()
        # A file of its own: the kernel remembers whom to signal for each open file, and forked
        # processes share those.
        own = os.open(f"/proc/self/fd/{self._reading.fileno()}", os.O_RDONLY | os.O_NONBLOCK)
        fcntl.fcntl(own, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(own, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(own, fcntl.F_SETFL, fcntl.fcntl(own, fcntl.F_GETFL) | os.O_ASYNC)
        if self._own is not None:
            os.close(self._own)
        self._own = own
        # The owner may have ended before that.
        if self._reading.poll():
            os.kill(os.getpid(), signal.SIGKILL)
        with suppress(OSError):
            Path("/proc/self/comm").write_text(name, encoding="ascii")

    def close(self) -> None:
        """In a process forked from a tied one, which is to have another end, or had this one."""
        self._reading.close()
        if self._own is not None:
            os.close(self._own)
        self._own = None

    def detach(self) -> int:
        """The descriptor that ties the calling process, as long as it is open."""
        assert self._own is not None
        own, self._own = self._own, None
        return own


def _tied_end(reading: Connection, name: str) -> LifelineEnd:
    end = LifelineEnd(reading, name)
    end.tie(name)
    return end


def tied(_end: LifelineEnd, main: Callable[..., None], *arguments: Any) -> None:
    """The target of a spawned process that is to call ``main(*arguments)``.

    A process reads its target and its arguments in order, and importing what they need takes long.
    This module takes no time, so the process is tied before.
    """
    main(*arguments)
