"""BlockingLink: the end of a link in a process without an event loop."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, Generic, TypeVar

from tfaas_core.system.links.inbox import Inbox, framed

M = TypeVar("M")


class BlockingLink(Generic[M]):
    """A link for a process without an event loop. One thread receives; any thread may send.

    ``messages`` is the type of what ``peer`` sends; that names it in the log. ``options`` are those
    of the Inbox.
    """

    def __init__(self, sock: socket.socket, messages: Any, peer: str, **options: int) -> None:
        sock.setblocking(True)
        self._sock = sock
        self._inbox: Inbox[M] = Inbox(messages, peer, **options)
        self._sending = threading.Lock()

    def fileno(self) -> int:
        """For a selector."""
        return self._sock.fileno()

    def receive(self) -> Iterator[tuple[M, list[int]]]:
        """Messages and their descriptors, until the other side is gone."""
        try:
            while (messages := self.receive_some()) is not None:
                yield from messages
        finally:
            self._inbox.close()

    def receive_some(self) -> list[tuple[M, list[int]]] | None:
        """Waits for bytes; the messages that are whole then, None once the other side is gone."""
        try:
            if not self._inbox.receive(self._sock):
                return None
        except ConnectionError:
            return None
        messages = [*self._inbox.messages]
        self._inbox.messages.clear()
        return messages

    def send(self, message: Any, descriptors: Sequence[int] = ()) -> None:
        """Sends a message; does nothing if the other side is gone. Raises what ``packed`` does."""
        data = framed(message, descriptors)
        with self._sending, suppress(OSError):
            if descriptors:
                data = data[socket.send_fds(self._sock, [data], descriptors) :]
            self._sock.sendall(data)

    def close(self) -> None:
        self._sock.close()
