"""Bell: wakes a loop's thread, for other threads that want something of it."""

from __future__ import annotations

import socket
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress


class Bell:
    """Hands calls over to one thread, whose selector watches the bell as it watches sockets."""

    def __init__(self) -> None:
        self._listening, self._ringing = socket.socketpair()
        self._ringing.setblocking(False)
        self._calls: deque[Callable[[], None]] = deque()
        self._mutex = threading.Lock()
        self._closed = False

    def fileno(self) -> int:
        """What a selector watches: readable once it was rung."""
        return self._listening.fileno()

    def ring(self, call: Callable[[], None]) -> bool:
        """Has ``call`` called in the loop's thread; False if that has ended. From any thread."""
        with self._mutex:
            if self._closed:
                return False
            self._calls.append(call)
            # If it is full, nobody has listened yet.
            with suppress(BlockingIOError):
                self._ringing.send(b"!")
            return True

    def answer(self) -> None:
        """Calls what was handed over, in order. In the loop's thread."""
        self._listening.recv(4096)
        while self._calls:
            self._calls.popleft()()

    def close(self) -> None:
        """Whatever was not called yet never is."""
        with self._mutex:
            self._closed = True
            self._calls.clear()
            self._listening.close()
            self._ringing.close()
