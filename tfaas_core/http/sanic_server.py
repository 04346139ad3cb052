"""SanicServer: Sanic's application on a listening socket, and for a while on none."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from sanic import Sanic
from sanic.application.state import ApplicationServerInfo
from sanic.http.constants import HTTP
from sanic.server.async_server import AsyncioServer
from sanic.server.protocols.http_protocol import HttpProtocol

from tfaas_core.http.sanic_parts import SanicProtocol
from tfaas_core.system.network.address import BACKLOG

_TLS_LIMITS = {"ssl_handshake_timeout": 10.0, "ssl_shutdown_timeout": 2.0}
"""How long a client may take for a handshake, and to say good-bye, in seconds."""


class SanicServer:
    """An application that serves on a socket."""

    def __init__(
        self,
        app: Sanic,  # type: ignore[type-arg]
        server: AsyncioServer,
        listener: socket.socket,
        listen: Callable[[], Coroutine[Any, Any, asyncio.AbstractServer]],
    ) -> None:
        self._app = app
        self._server = server
        self._listener = listener
        self._listen = listen
        self._listening: asyncio.AbstractServer | None = server.server
        self._is_over = False

    @classmethod
    async def start(
        cls,
        app: Sanic,  # type: ignore[type-arg]
        listener: socket.socket,
        protocol: type[SanicProtocol],
        tls: ssl.SSLContext | None = None,
    ) -> SanicServer:
        """Begins to accept connections, which speak TLS if there is a context for it.

        ``listener`` is closed in the end.
        """
        # Sanic takes a process without its own manager for the manager itself.
        os.environ["SANIC_WORKER_PROCESS"] = "true"
        # The first application of a process rewrites methods of Sanic's, which it can do once.
        app.state.primary = not getattr(HttpProtocol, "__touched__", False)
        # If Sanic does not know what it serves, it sends an empty alt-svc header.
        info = ApplicationServerInfo(settings={"version": HTTP.VERSION_1})
        app.state.server_info.append(info)
        limits: dict[str, Any] = {} if tls is None else _TLS_LIMITS
        server = await app.create_server(
            # Who closes what listens closes its socket, too.
            sock=listener.dup(),
            protocol=protocol,
            return_asyncio_server=True,
            ssl=tls,
            backlog=BACKLOG,
            asyncio_server_kwargs=limits,
        )
        assert server is not None
        await server.startup()  # type: ignore[no-untyped-call]
        await server.before_start()  # type: ignore[no-untyped-call]
        await server.after_start()  # type: ignore[no-untyped-call]
        loop = asyncio.get_running_loop()
        connect = partial(protocol, loop=loop, app=app, connections=server.connections)

        async def listen() -> asyncio.AbstractServer:
            sock = listener.dup()
            return await loop.create_server(connect, sock=sock, ssl=tls, backlog=BACKLOG, **limits)

        return cls(app, server, listener, listen)

    async def let_go(self) -> None:
        """Has each connection close after its next answer, and say so to the client."""
        await self._server.before_stop()  # type: ignore[no-untyped-call]
        self._app.config.KEEP_ALIVE = False

    @property
    def is_accepting(self) -> bool:
        """Whether it takes connections."""
        return self._listening is not None

    def rest(self) -> None:
        """Accepts no connections for now; those that there are stay."""
        listening, self._listening = self._listening, None
        if listening is not None:
            listening.close()

    async def accept(self) -> None:
        """Accepts connections again, unless it is closed. Raises OSError."""
        if self._is_over:
            return
        listening = await self._listen()
        if self._is_over or self._listening is not None:
            listening.close()
        else:
            self._listening = listening

    def close(self) -> None:
        """Accepts no connections ever more; those that there are stay."""
        self._is_over = True
        self.rest()
        # While anybody has it, clients wait to be let in, and are not refused.
        self._listener.close()

    @property
    def connections(self) -> list[SanicProtocol]:
        """Those that are open."""
        return list(self._server.connections)

    @property
    def open_connections(self) -> int:
        """How many there are."""
        return len(self._server.connections)

    async def end(self) -> None:
        """After the last connection is gone."""
        await self._server.after_stop()  # type: ignore[no-untyped-call]
