"""ForkLoop: what a process that forks others does all the time."""

from __future__ import annotations

import os
import selectors
import signal
import socket
from collections.abc import Callable
from typing import Any

from tfaas_core.system.links.blocking_link import BlockingLink


class ForkLoop:
    """Takes orders, and sees how forked processes end, in one thread: a process with several cannot
    be forked safely.

    ``take`` gets each order, and the descriptors that came with it; ``ended`` the number of each
    process, and its exit code: below 0, the signal that ended it.
    """

    def __init__(
        self,
        link: BlockingLink[Any],
        take: Callable[[Any, list[int]], None],
        ended: Callable[[int, int], None],
    ) -> None:
        self._link = link
        self._take = take
        self._ended = ended
        self._selector = selectors.DefaultSelector()
        self._woken, self._waker = socket.socketpair()

    def serve(self) -> None:
        """Returns when the link closes."""
        self._waker.setblocking(False)
        self._woken.setblocking(False)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._selector.register(self._link, selectors.EVENT_READ, self._take_orders)
        self._selector.register(self._woken, selectors.EVENT_READ, self._bury)
        while self._turn():
            pass

    def leave(self) -> None:
        """In a process that was just forked: nothing of this is its own."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._selector.close()
        for end in (self._woken, self._waker, self._link):
            end.close()

    def _turn(self) -> bool:
        goes_on = True
        for key, _events in self._selector.select():
            goes_on = key.data() and goes_on
        return goes_on

    def _take_orders(self) -> bool:
        """False once the other side has hung up."""
        messages = self._link.receive_some()
        for message, descriptors in messages or ():
            self._take(message, descriptors)
        return messages is not None

    def _bury(self) -> bool:
        try:
            self._woken.recv(1 << 10)
        except BlockingIOError:
            return True
        while self._bury_one():
            pass
        return True

    def _bury_one(self) -> bool:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        if pid:
            self._ended(pid, os.waitstatus_to_exitcode(status))
        return pid != 0
