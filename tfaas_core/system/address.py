"""Address: where a server listens."""

from __future__ import annotations

import errno
import socket
from contextlib import closing
from typing import Any

import msgspec

from tfaas_core.errors import StartupError


class Address(msgspec.Struct, frozen=True):
    """The address of a TCP socket that is to listen. ``place`` is what ``socket.bind`` takes."""

    family: int
    kind: int
    protocol: int
    place: Any

    @classmethod
    def of(cls, host: str, port: int) -> Address:
        """The address that ``host``, a name or number, has. Raises StartupError."""
        try:
            family, kind, protocol, _name, place = socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
        except (OSError, ValueError) as error:
            raise cannot_listen(host, port, error) from None
        return cls(family, kind, protocol, place)

    def bound(self) -> socket.socket:
        """A socket that is bound here. Raises OSError."""
        sock = socket.socket(self.family, self.kind, self.protocol)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(self.place)
        except OSError:
            sock.close()
            raise
        return sock


def check_address(host: str, port: int) -> None:
    """Raises StartupError unless ``host`` is this machine, and this account may have ``port``.

    Listens nowhere, and takes a port that is in use for a free one: a server may be using it.
    """
    address = Address.of(host, port)
    numeric, _port, *others = address.place
    free = msgspec.structs.replace(address, place=(numeric, 0, *others))
    # The kernel asks for the right to a port before it looks whether the port is in use.
    for tried in (free, address):
        try:
            with closing(tried.bound()):
                pass
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise cannot_listen(host, port, error) from None


def cannot_listen(host: str, port: int, error: Exception) -> StartupError:
    """The error of a server that cannot listen, because of ``error``."""
    reason = getattr(error, "strerror", None) or error
    return StartupError(f"cannot listen on {host}:{port} (server.host, server.port): {reason}")
