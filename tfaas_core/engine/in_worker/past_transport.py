"""Past the transport, which would wait for the end of the event loop's turn: its socket itself."""

from __future__ import annotations

import socket

_RECEIVE_BYTES = 1 << 18


def send_now(sock: socket.socket, frame: bytes) -> bytes | memoryview:
    """Sends what the socket takes at once, and gives the rest."""
    try:
        return memoryview(frame)[sock.send(frame) :]
    except OSError:  # a lasting one is met by the transport, too
        return frame


def receive_now(sock: socket.socket) -> bytes | None:
    """What has come; empty once the connection is lost, which the transport will meet, too."""
    try:
        return sock.recv(_RECEIVE_BYTES)
    except BlockingIOError:
        return None
    except OSError:
        return b""
