"""WorkerConnection: a connection from an HTTP worker, as the servable's side has it."""

from __future__ import annotations

import os
import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from itertools import islice
from typing import Any

from tfaas_core.engine.shared.frames import FrameBuffer, decode_request
from tfaas_core.engine.shared.sent_answer import LentAnswer, SentAnswer
from tfaas_core.engine.shared.slots import SharedSlots, ends_of

_RECEIVE_BYTES = 1 << 18
_MOST_PIECES = 64
"""Of one call: the system takes 1024 at most."""

BEHIND_BYTES = 1 << 22
"""Of answers: while a client has more of them to take, nothing more is run for it."""


class WorkerConnection:
    """One connection from an HTTP worker. Never blocks: a stalled client holds up nobody else."""

    read = staticmethod(decode_request)
    """Reads one of the frames."""

    def __init__(self, sock: socket.socket, slots: SharedSlots | None = None) -> None:
        """``slots``: where the values of large frames are, if both ends have the memory for it."""
        self.writer, self.reader = ends_of(slots)
        sock.setblocking(False)
        self.sock = sock
        self.frames = FrameBuffer()
        self.unsent: deque[memoryview] = deque()
        """What the socket has not taken yet: a client that leaves any there is stalled."""
        self.takes_more = True
        """Whether more is to be run for it: it is neither behind with its answers, nor gone."""
        self.is_gone = False
        self._unsent_bytes, self._has_lent = 0, False

    def receive(self) -> list[bytes] | None:
        """The frames that are complete now; None once the connection is closed."""
        try:
            data = self.sock.recv(_RECEIVE_BYTES)
        except BlockingIOError:
            return []
        except ConnectionError:
            return None
        return list(self.frames.feed(data)) if data else None

    def send(self, answer: SentAnswer) -> None:
        if isinstance(answer, LentAnswer):
            self._has_lent = True
            self._add(answer.pieces)
        elif self.unsent:
            self._add([memoryview(answer)])
        elif (sent := self._taken(self.sock.send, answer)) < len(answer):
            self._add([memoryview(answer)[sent:]])

    def flush(self) -> None:
        """Sends what the socket takes now."""
        while self.unsent:
            sent = self._taken(self._write, list(islice(self.unsent, _MOST_PIECES)))
            if not sent:
                break
            self._unsent_bytes -= sent
            while sent:
                piece = self.unsent.popleft()
                if sent < len(piece):
                    self.unsent.appendleft(piece[sent:])
                sent -= min(sent, len(piece))
        self.takes_more = self._unsent_bytes <= BEHIND_BYTES and not self.is_gone
        self._has_lent = self._has_lent and bool(self.unsent)

    def keep_lent(self) -> None:
        """Copies what is unsent, if some of it is the servable's, which is about to run again."""
        if not self._has_lent:
            return
        self._has_lent = False
        try:
            self.unsent = deque([memoryview(b"".join(self.unsent))])
        except MemoryError:
            self._hang_up()

    def _add(self, pieces: list[memoryview]) -> None:
        if self.is_gone:
            return
        was_stalled = bool(self.unsent)
        self.unsent += pieces
        self._unsent_bytes += sum(map(len, pieces))
        self.takes_more = self._unsent_bytes <= BEHIND_BYTES
        if not was_stalled:
            self.flush()

    def _taken(self, send: Callable[[Any], int], data: Any) -> int:
        """How much of ``data`` the socket takes now."""
        try:
            return send(data)
        except BlockingIOError:
            return 0
        except OSError:
            self._hang_up()
            return 0

    def _write(self, pieces: list[memoryview]) -> int:
        # The sandbox allows no sendmsg, which may send descriptors, too.
        return os.writev(self.sock.fileno(), pieces)

    def _hang_up(self) -> None:
        """What the client sees, if there is one, is that the connection ends."""
        self.is_gone, self.takes_more, self._unsent_bytes = True, False, 0
        self.unsent.clear()
        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
