"""The gate: accepts gRPC's connections, and stands between each client and gRPC's library.

The library listens where nobody else can connect. What goes by is not looked at, but for how a
connection begins. A connection can be cut here, which the library has no way to do.
"""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
import time
from pathlib import Path
from typing import Any, cast

from tfaas_core.route import ClientAddress
from tfaas_core.system.tls import subject_of
from tfaas_plugins.grpc_server.opening import Opening
from tfaas_plugins.grpc_server.tls import GrpcTls

_LEAST_FULL_BYTES = 1 << 16
"""Who has sent less is left alone."""

FILES = 3
"""So many are open for each connection: one to the client, and both ends of one to the library."""

_BACKLOG = 1024
_FLUSH_S = 1.0
_LOOK_S = 0.02
_TOLD_S = 1.0


class Gate:
    """The connections of one HTTP worker. Who has not begun one after ``handshake_s`` is cut."""

    def __init__(self, tls: GrpcTls | None, handshake_s: float) -> None:
        self._tls = tls
        self._handshake_s = handshake_s
        self._folder = Path(tempfile.mkdtemp(prefix="tfaas-grpc-"))
        self._library = -1
        self._server: asyncio.Server | None = None
        self._connections: dict[str, Connection] = {}

    @property
    def library_address(self) -> str:
        """Where the library is to listen, before the gate opens."""
        return f"unix:{self._folder / 'library'}"

    async def open(self, kept: socket.socket) -> None:
        """Begins to accept connections, at the port that ``kept`` keeps."""
        path = self._folder / "library"
        # The socket goes on without its name, and then nobody can find it.
        self._library = os.open(path, os.O_PATH)
        path.unlink()
        self._folder.rmdir()
        sock = socket.socket(kept.family, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(kept.getsockname())
        tls = self._tls
        self._server = await asyncio.get_running_loop().create_server(
            self._accepted,
            sock=sock,
            backlog=_BACKLOG,
            ssl=None if tls is None else tls.context,
            ssl_handshake_timeout=None if tls is None else self._handshake_s,
        )

    def close(self) -> None:
        """Accepts no more; connections go on until the library ends them."""
        if self._server is not None:
            self._server.close()

    async def end(self) -> None:
        """Once the library has ended, and clients have taken what it said, if they do."""
        ends_s = time.monotonic() + _FLUSH_S
        while any(each.unsent_bytes for each in self._connections.values()):
            if time.monotonic() > ends_s:
                break
            await asyncio.sleep(_LOOK_S)
        for each in [*self._connections.values()]:
            each.cut()
        os.close(self._library)

    def at(self, peer: str) -> Connection | None:
        """The connection that the library calls ``peer``; None: it has just gone."""
        return self._connections.get(peer)

    def look(self) -> None:
        """Called now and then: what was sent before the last time is forgotten."""
        for each in self._connections.values():
            each.forget()

    def end_fullest(self) -> int:
        """Ends those that have lately sent the most that nobody has read; gives how many.

        They have sent half of all of it. It may take many times its size: of a field of metadata,
        the library gets one byte, and keeps a hundred.
        """
        full = [
            each for each in self._connections.values() if each.unread_bytes > _LEAST_FULL_BYTES
        ]
        full.sort(key=lambda each: each.unread_bytes)
        left = sum(each.unread_bytes for each in full) / 2
        ended = 0
        while left > 0:
            fullest = full.pop()
            left -= fullest.unread_bytes
            fullest.end_soon()
            ended += 1
        return ended

    def _accepted(self) -> Connection:
        if self._tls is not None:
            self._tls.follow()
        return Connection(self)

    async def enter(self, connection: Connection) -> None:
        """Connects one to the library. Raises OSError."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            sock.bind("")  # Linux makes up a name, by which the library knows it
            sock.connect(f"/proc/self/fd/{self._library}")
            name = sock.getsockname()[1:].decode()
            connection.peer = f"unix-abstract:{name}"
            self._connections[connection.peer] = connection
            loop = asyncio.get_running_loop()
            await loop.create_unix_connection(lambda: _Library(connection), sock=sock)
        except BaseException:
            sock.close()
            raise

    def leave(self, connection: Connection) -> None:
        """It is over."""
        self._connections.pop(connection.peer, None)


class Connection(asyncio.Protocol):
    """That of one client."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._opening: Opening | None = Opening()
        self._early: list[bytes] | None = []
        self.said_bytes = 0  # by the library
        self._unread_bytes = [0, 0]
        self._transport: asyncio.Transport = cast("Any", None)
        self._library: asyncio.Transport | None = None
        self._entering: asyncio.Task[None] | None = None
        self._is_ending = False
        self._is_held = False
        self._is_taking = True
        self.peer = ""
        self.client = ClientAddress()

    @property
    def unsent_bytes(self) -> int:
        """What the client has still to take of what the library has said."""
        return 0 if self._transport.is_closing() else self._transport.get_write_buffer_size()

    @property
    def taken_bytes(self) -> int:
        """What the client has taken since the beginning."""
        return self.said_bytes - self.unsent_bytes

    @property
    def unread_bytes(self) -> int:
        """Of what the client has sent lately, what no call has read as its message."""
        return max(0, sum(self._unread_bytes))

    def has_read(self, message: bytes | None) -> None:
        """A call has read ``message``."""
        if message is not None:
            self._unread_bytes[1] -= len(message)

    def forget(self) -> None:
        """What was sent before the last time that this was called is not lately any more."""
        self._unread_bytes = [self._unread_bytes[1], 0]

    def cut(self) -> None:
        """Ends it at once, and so all its calls."""
        self._transport.abort()

    def end_soon(self) -> None:
        """Takes nothing more, and ends it once the client has been told why."""
        if not self._is_ending:
            self._is_ending = True
            self._pace()
            asyncio.get_running_loop().call_later(_TOLD_S, self.cut)

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        if (name := transport.get_extra_info("peername")) is None:  # it has gone already
            self.cut()
            return
        subject = subject_of(transport.get_extra_info("peercert"))
        self.client = ClientAddress.of_peer(name[0], name[1], subject)
        loop = asyncio.get_running_loop()
        # Just now, uvloop would not heed it: it begins to read behind this.
        loop.call_soon(self._pace)
        self._entering = loop.create_task(self._enter())

    async def _enter(self) -> None:
        try:
            await self._gate.enter(self)
        except OSError:
            self.cut()

    def data_received(self, data: bytes) -> None:
        if self._is_ending:
            return
        if self._early is not None:
            self._early.append(data)
            return
        if self._opening is not None:
            data = self._opening.passed(data)
            if self._opening.is_over:
                self._opening = None
        if self._library is not None:
            self._unread_bytes[1] += len(data)
            self._library.write(data)

    def pause_writing(self) -> None:
        """The client takes nothing for now. So nothing is taken of it that asks for more."""
        self._is_taking = False
        self._pace()
        if self._library is not None:
            self._library.pause_reading()

    def resume_writing(self) -> None:
        """It does again."""
        self._is_taking = True
        self._pace()
        if self._library is not None:
            self._library.resume_reading()

    def connection_lost(self, _error: Exception | None) -> None:
        self._gate.leave(self)
        if self._entering is not None:
            self._entering.cancel()
        if self._library is not None:
            self._library.abort()

    def library_is_there(self, transport: asyncio.Transport) -> None:
        """The library accepts it, too."""
        self._library = transport
        if self._transport.is_closing():
            transport.abort()

    def library_said(self, data: bytes) -> None:
        """It goes to the client. The library begins with its settings."""
        if self._transport.is_closing():
            return
        self.said_bytes += len(data)
        self._transport.write(data)
        if (early := self._early) is not None:
            self._early = None
            for each in early:
                self.data_received(each)
            self._pace()

    def library_has_gone(self) -> None:
        """It has ended the connection, or was left."""
        self._transport.close()

    def pace(self, is_held: bool) -> None:
        """The library takes no more for now, or does again."""
        self._is_held = is_held
        self._pace()

    def _pace(self) -> None:
        if self._transport.is_closing():
            return
        if self._early is None and self._is_taking and not (self._is_held or self._is_ending):
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()


class _Library(asyncio.Protocol):
    """The other end of a connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.data_received = connection.library_said  # type: ignore[method-assign]

    def connection_made(self, transport: Any) -> None:
        self._connection.library_is_there(transport)

    def connection_lost(self, _error: Exception | None) -> None:
        self._connection.library_has_gone()

    def pause_writing(self) -> None:
        self._connection.pace(is_held=True)

    def resume_writing(self) -> None:
        self._connection.pace(is_held=False)
