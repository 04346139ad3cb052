"""WorkerConnection: a connection from an HTTP worker, as the servable's side has it."""

from __future__ import annotations

import socket
from collections import deque

from tfaas_core.engine.shared.frames import FrameBuffer, decode_request
from tfaas_core.engine.shared.slots import SharedSlots, ends_of

_RECEIVE_BYTES = 1 << 18


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

    def receive(self) -> list[bytes] | None:
        """The frames that are complete now; None once the connection is closed."""
        try:
            data = self.sock.recv(_RECEIVE_BYTES)
        except BlockingIOError:
            return []
        except ConnectionError:
            return None
        return list(self.frames.feed(data)) if data else None

    def send(self, answer: bytes) -> None:
        self.unsent.append(memoryview(answer))
        if len(self.unsent) == 1:
            self.flush()

    def flush(self) -> None:
        """Sends what the socket takes now."""
        try:
            while self.unsent:
                sent = self.sock.send(self.unsent[0])
                self.unsent[0] = self.unsent[0][sent:]
                if not self.unsent[0]:
                    self.unsent.popleft()
        except BlockingIOError:
            pass
        except OSError:
            self.unsent.clear()
