"""Address: where a server listens."""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any, TypeAlias

import msgspec

from tfaas_core.errors import StartupError

BACKLOG = 4096
"""Connections that may wait to be accepted; the kernel may allow fewer."""

Blame: TypeAlias = Callable[[str], StartupError]
"""Makes the error of an address that cannot be had, for the given reason."""


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches ``host``. Raises OSError and ValueError."""
    return ipaddress.ip_address(Address.of(host, 0).place[0].partition("%")[0]).is_loopback


class Address(msgspec.Struct, frozen=True):
    """The address of a TCP socket that is to listen. ``place`` is what ``socket.bind`` takes."""

    family: int
    kind: int
    protocol: int
    place: Any

    @classmethod
    def of(cls, host: str, port: int) -> Address:
        """The address that ``host``, a name or number, has. Raises OSError and ValueError."""
        family, kind, protocol, _name, place = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return cls(family, kind, protocol, place)

    def bound(self, reuse_port: bool = False) -> socket.socket:
        """A socket that is bound here. Raises OSError.

        ``reuse_port``: others of this account that say so, too, may be bound here beside it.
        """
        sock = socket.socket(self.family, self.kind, self.protocol)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if reuse_port:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            sock.bind(self.place)
        except OSError:
            sock.close()
            raise
        return sock

    def overlaps(self, other: Address) -> bool:
        """Whether no two sockets can listen at both. Port 0 is another one each time."""
        (host, port, *_), (other_host, other_port, *_) = self.place, other.place
        if port != other_port or port == 0:
            return False
        if self.family == other.family:
            return host == other_host or _is_all(host) or _is_all(other_host)
        # A socket for all of IPv6 takes IPv4, too.
        ours = host if self.family == socket.AF_INET6 else other_host
        return _is_all(ours)


def is_free_address(host: str, port: int, blame: Blame | None = None) -> bool:
    """Whether nobody has this address. A server that does may be the one that is asked about.

    Raises StartupError unless ``host`` is this machine, and this account may have ``port``. Listens
    nowhere.
    """
    with listening(blame or cannot_listen(host, port)):
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
                    raise
                return False
    return True


@contextmanager
def listening(blame: Blame) -> Iterator[None]:
    """Raises what ``blame`` makes of the reason if the block cannot have an address."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise blame(str(getattr(error, "strerror", None) or error)) from None


def cannot_listen(host: str, port: int) -> Blame:
    """The error of a server that cannot listen on its own port."""
    place = f"{shown_address(host, port)} (server.host, server.port)"
    remedy = "let the server listen elsewhere"
    return lambda reason: StartupError(f"cannot listen on {place}: {reason}; {remedy}")


def shown_address(host: str, port: int) -> str:
    """As it stands in a URL."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _is_all(host: str) -> bool:
    """Whether it stands for all addresses of this machine."""
    return ipaddress.ip_address(host.partition("%")[0]).is_unspecified
