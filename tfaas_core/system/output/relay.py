"""Relay: what another process writes to its stderr goes to this one's, at a bounded pace."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from contextlib import suppress

_STDERR = 2
_RECEIVE_BYTES = 1 << 16
_MOST_BYTES_PER_S = 1 << 20


class Relay:
    """``theirs`` is the socket that becomes the other process's stderr, and is closed here then.

    A file, or a pipe, is what that process could open again, to read or to fill. If it writes more
    than 1 MiB in a second, it waits for the next one. ``on_end`` is called once, when it has closed
    its side.
    """

    def __init__(self, on_end: Callable[[Relay], None]) -> None:
        self._ours, self.theirs = socket.socketpair()
        self._ours.setblocking(False)
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._second = 0
        self._left = _MOST_BYTES_PER_S
        self._later: asyncio.TimerHandle | None = None
        self._listen()

    def close(self) -> None:
        """Passes on what is there, and listens no more."""
        if self._ours.fileno() < 0:
            return
        if self._later is not None:
            self._later.cancel()
        with suppress(OSError):
            for _turn in range(_MOST_BYTES_PER_S // _RECEIVE_BYTES):
                if not self._pass_on():
                    break
        self._loop.remove_reader(self._ours)
        self._ours.close()
        self.theirs.close()

    def _listen(self) -> None:
        self._later = None
        self._loop.add_reader(self._ours, self._readable)

    def _readable(self) -> None:
        second = int(self._loop.time())
        if second != self._second:
            self._second, self._left = second, _MOST_BYTES_PER_S
        try:
            size = self._pass_on()
        except BlockingIOError:
            return
        except OSError:
            size = 0
        if not size:
            self.close()
            self._on_end(self)
            return
        self._left -= size
        if self._left <= 0:
            self._loop.remove_reader(self._ours)
            self._later = self._loop.call_at(second + 1.0, self._listen)

    def _pass_on(self) -> int:
        """How many bytes there were; 0: no more will come. Raises BlockingIOError, OSError."""
        data = self._ours.recv(_RECEIVE_BYTES)
        with suppress(OSError):  # whoever reads stderr has gone
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(_STDERR, rest) :]
        return len(data)
