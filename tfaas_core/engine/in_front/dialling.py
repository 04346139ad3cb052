"""Dialling: how an HTTP worker gets a connection to the door of a host."""

from __future__ import annotations

import asyncio
import socket
import ssl

import msgspec

from tfaas_core.engine.shared import hello
from tfaas_core.engine.shared.door_tls import CallerTls, why_refused
from tfaas_core.errors import Unavailable
from tfaas_core.system.network.keepalive import keep_alive, may_leave_unread


class HostAwayError(Unavailable):
    """A host cannot be asked, and was not: another one may be."""


class HostFullError(HostAwayError):
    """A host has no room for a model but that of one that is used: it was not loaded there."""


class HostSilentError(HostAwayError):
    """A host is connected, and does not answer: nobody knows what it has done."""


class FarDoor(msgspec.Struct, frozen=True):
    """Where a host is, like ``10.0.0.1:8090``, and what it takes to be let in."""

    address: str
    token: str
    dead_after_s: float
    tls: CallerTls | None = None
    named_by: str = "engine.remote.hosts"
    """Who says that it is there, as errors name it."""

    @property
    def place(self) -> tuple[str, int]:
        """Its host, a name or number, and its port."""
        host, _colon, port = self.address.rpartition(":")
        return host.strip("[]"), int(port)

    async def dial(self, greeting: hello.Greeting) -> socket.socket:
        """A connection that is let in, not blocking. Raises HostAwayError, which says why not."""
        try:
            async with asyncio.timeout(self.dead_after_s + hello.HELLO_LIMIT_S):
                sock = await self._connected()
                if greeting.purpose != "worker":
                    # A run, or a slow disk, may keep the host from reading. The worker's own
                    # connection tells if the host is gone.
                    may_leave_unread(sock)
                return await self._let_in(sock, greeting)
        except (OSError, TimeoutError, hello.RefusedError) as error:
            raise self.away(_reason(error)) from error

    def away(self, reason: str) -> HostAwayError:
        """The error of a host that is not there, or does not let this server in."""
        return HostAwayError(f"host {self.address} ({self.named_by}) {reason}")

    async def _let_in(self, sock: socket.socket, greeting: hello.Greeting) -> socket.socket:
        """Says hello, in a tunnel if there is TLS; if that fails, ``sock`` is closed."""
        tunnel = None
        if self.tls is not None:
            tunnel = await self.tls.tunnel(sock, self.place[0])
            sock = tunnel.sock
        try:
            await hello.call_host(sock, self.token, greeting)
        except BaseException as error:
            sock.close()
            if tunnel is not None and isinstance(error, OSError):
                # The host may refuse this server's certificate after the handshake.
                raise tunnel.error or error from error
            raise
        return sock

    async def _connected(self) -> socket.socket:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(*self.place, type=socket.SOCK_STREAM)
        family, kind, protocol, _name, place = found[0]
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setblocking(False)
            keep_alive(sock, self.dead_after_s)
            async with asyncio.timeout(self.dead_after_s):
                await loop.sock_connect(sock, place)
        except BaseException:
            sock.close()
            raise
        return sock


def _reason(error: BaseException) -> str:
    if isinstance(error, hello.RefusedError):
        return f"refuses this server: {error.message}"
    if isinstance(error, ssl.SSLError):
        return why_refused(error, "engine.remote.tls_ca")
    if isinstance(error, TimeoutError):
        return "does not answer in time"
    return f"cannot be reached: {getattr(error, 'strerror', None) or error}"
