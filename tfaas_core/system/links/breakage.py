"""Breakage: what has happened to a socket, whatever is still to be read from it."""

from __future__ import annotations

import select
import socket


class Breakage:
    """Whether the other side of a socket is gone, or the connection was cut.

    uvloop tells whoever reads from a socket with an error of that once, and no more. So who reads a
    part of what has come then looks here, and reads again without being told.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._poll = select.poll()
        self._poll.register(sock, 0)

    def is_there(self) -> bool:
        """Looks; ``sock`` has to be open."""
        return self._poll.poll(0) != []
