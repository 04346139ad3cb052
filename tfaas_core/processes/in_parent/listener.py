"""The sockets that HTTP workers accept connections from: opened by the parent, and shut by it."""

from __future__ import annotations

import ctypes
import socket
import struct
from contextlib import suppress

from tfaas_core.system.network.address import (
    BACKLOG,
    Address,
    Blame,
    cannot_listen,
    listening,
)

_SO_ATTACH_FILTER = 26
_DROP_ALL = struct.pack("HBBI", 0x06, 0, 0, 0)
"""A program of the classic BSD packet filter: return 0, which takes no byte of any packet."""


def bind(
    host: str, port: int, blame: Blame | None = None, reuse_port: bool = False
) -> socket.socket:
    """A TCP socket that listens; with ``reuse_port``, one that only keeps the port for such others.

    Raises StartupError, which ``blame`` makes, if the address cannot be had.
    """
    with listening(blame or cannot_listen(host, port)):
        address = Address.of(host, port)
        if reuse_port:
            # It would go in beside another server's.
            address.bound().close()
        listener = address.bound(reuse_port)
        if not reuse_port:
            listener.listen(BACKLOG)
    return listener


def shut(listener: socket.socket) -> None:
    """Lets nobody else in, in all processes that have it; who is in already can be accepted.

    A connection that is still waiting when a listening socket is closed is reset, perhaps with a
    request on its way. So the kernel is told to drop what further clients send: they try again, and
    find the socket closed.
    """
    listener.listen(0)
    program = ctypes.create_string_buffer(_DROP_ALL)
    # Other systems have no such filter.
    with suppress(OSError):
        listener.setsockopt(
            socket.SOL_SOCKET,
            _SO_ATTACH_FILTER,
            struct.pack("HP", 1, ctypes.addressof(program)),
        )
