"""The gate: accepts gRPC's connections, and stands between each client and gRPC's library.

The library listens where nobody else can connect. Of what goes by, it is looked at how a connection
begins, and where messages begin and end. A connection can be cut here, which the library has no way
to do.
"""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tfaas_plugins.grpc_server.connection import Connection
from tfaas_plugins.grpc_server.messages import LeastPace
from tfaas_plugins.grpc_server.tls import GrpcTls

_LEAST_FULL_BYTES = 1 << 16
"""Who has sent less is left alone."""

FILES = 3
"""So many are open for each connection: one to the client, and both ends of one to the library."""

_LEAST_S = 1.0
"""Who has had less time to send a message is left alone."""

_BACKLOG = 1024
_FLUSH_S = 1.0
_LOOK_S = 0.02


class Gate:
    """The connections of one HTTP worker, ``most`` of them.

    One without a call whose message has come makes room for a further one, the oldest first; if
    each has one, the further one is cut at once. So is who has not shaken hands after
    ``handshake_s``. ``clock`` counts seconds.
    """

    def __init__(
        self,
        tls: GrpcTls | None,
        handshake_s: float,
        most: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tls = tls
        self._handshake_s = handshake_s
        self._folder = Path(tempfile.mkdtemp(prefix="tfaas-grpc-"))
        self._library = -1
        self._server: asyncio.Server | None = None
        self._connections: dict[str, Connection] = {}
        self._inside: dict[Connection, float] = {}  # by when they came
        self._most = most
        self._clock = clock

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

    def late(self, least: LeastPace) -> list[Connection]:
        """Those that send too slowly; called once in ``least.look_s``."""
        return [
            each for each in self._connections.values() if each.waits and each.messages.look(least)
        ]

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

    def admits(self, connection: Connection) -> bool:
        """Whether there is room for one that has come.

        The library bounds them, too, but it could not accept one without a descriptor, only to
        close it.
        """
        if len(self._inside) >= self._most and not self._end_oldest():
            return False
        self._inside[connection] = self._clock()
        return True

    def _end_oldest(self) -> bool:
        before_s = self._clock() - _LEAST_S
        for connection, since_s in self._inside.items():
            if since_s > before_s:
                return False
            if not connection.calls:
                del self._inside[connection]
                connection.cut()
                return True
        return False

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
            await loop.create_unix_connection(connection.other_end, sock=sock)
        except BaseException:
            sock.close()
            raise

    def leave(self, connection: Connection) -> None:
        """It is over."""
        self._inside.pop(connection, None)
        self._connections.pop(connection.peer, None)
