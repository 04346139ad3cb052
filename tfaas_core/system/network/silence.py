"""Silence: a TCP connection ends in time also if something is sent to a machine that is gone.

Of a connection that sends nothing, the kernel notices by itself: see ``keepalive``. But from what
is sent into the silence, it waits all the time anew.
"""

from __future__ import annotations

import asyncio
import math
import socket
import struct
import time
from contextlib import suppress

_TCP_INFO = struct.Struct("=3xB40xI8xI")
"""Of the kernel's struct: probes without an answer; how long ago something was sent, and heard."""


def end_when_silent(sock: socket.socket) -> None:
    """For sockets after ``keep_alive``, in an event loop; others are left as they are.

    One that is closed, or detached, is no concern of it any more.
    """
    if sock.family in (socket.AF_INET, socket.AF_INET6):
        limit_ms = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
        if limit_ms:
            Silence(sock, limit_ms / 1000)


class Silence:
    """Shuts ``sock`` down once the other machine has acknowledged nothing for ``dead_after_s``.

    It has to have been asked for a while, too: if this one was paused, what it heard is old.
    """

    def __init__(self, sock: socket.socket, dead_after_s: float) -> None:
        self._sock, self._dead_after_s = sock, dead_after_s
        self._loop = asyncio.get_running_loop()
        self._asked_s = math.inf
        self._look()

    def _look(self) -> None:
        if self._sock.fileno() < 0:
            return
        probes, sent_ms, heard_ms = _TCP_INFO.unpack(
            self._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)
        )
        now_s, step_s = time.monotonic(), self._dead_after_s / 3
        heard_s = now_s - heard_ms / 1000
        if not probes and sent_ms >= heard_ms:
            self._asked_s = math.inf
            wait_s = max(heard_s + 2 * step_s - now_s, step_s)
        else:
            if self._asked_s < heard_s or self._asked_s == math.inf:
                self._asked_s = now_s
            wait_s = max(heard_s + self._dead_after_s, self._asked_s + step_s) - now_s
            # Until then it may answer what it was asked, and be silent from then on.
            wait_s = min(wait_s, step_s)
        if wait_s > 0:
            self._loop.call_later(wait_s, self._look)
            return
        with suppress(OSError):
            # Not as TLS does, which would say good-bye.
            socket.socket.shutdown(self._sock, socket.SHUT_RDWR)
