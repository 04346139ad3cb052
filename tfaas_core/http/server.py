"""The HTTP server of one worker: it starts, and it drains without losing a request."""

from __future__ import annotations

import asyncio
import os
import socket
import time

from sanic.application.state import ApplicationServerInfo
from sanic.http.constants import HTTP
from sanic.server.async_server import AsyncioServer

from tfaas_core.host import Host
from tfaas_core.http.app import create_app
from tfaas_core.http.protocol import TfaasProtocol

_LAST_CALL_S = 0.5
"""How long a connection without a request may, while draining, still begin one."""

_POLL_S = 0.02


class HttpServer:
    """Serves a Host's routes on a listening socket that it may share with other processes."""

    def __init__(self, host: Host, listener: socket.socket) -> None:
        self._app = create_app(host)
        self._listener = listener
        self._server: AsyncioServer | None = None

    async def start(self) -> None:
        """Begins to accept connections."""
        # Sanic takes a process without its own manager for the manager itself.
        os.environ["SANIC_WORKER_PROCESS"] = "true"
        # Where Sanic does not know what it serves, it sends an empty alt-svc header.
        info = ApplicationServerInfo(settings={"version": HTTP.VERSION_1})
        self._app.state.server_info.append(info)
        server = await self._app.create_server(
            sock=self._listener, protocol=TfaasProtocol, return_asyncio_server=True
        )
        assert server is not None
        await server.startup()  # type: ignore[no-untyped-call]
        await server.before_start()  # type: ignore[no-untyped-call]
        await server.after_start()  # type: ignore[no-untyped-call]
        self._server = server

    async def drain(self, timeout_s: float) -> None:
        """Answers what has been sent, lets go of idle connections, and ends.

        Connections that are still busy after ``timeout_s`` seconds are cut.
        """
        server = self._server
        assert server is not None
        await server.before_stop()  # type: ignore[no-untyped-call]
        # Each connection closes after its next answer, and says so to the client.
        self._app.config.KEEP_ALIVE = False
        # Whoever connected before now is let in before the door closes.
        await asyncio.sleep(_POLL_S)
        server.close()  # type: ignore[no-untyped-call]
        start_s = time.monotonic()
        while server.connections and time.monotonic() < start_s + timeout_s:
            await asyncio.sleep(_POLL_S)
            if time.monotonic() > start_s + _LAST_CALL_S:
                for connection in list(server.connections):
                    connection.close_if_idle()
        for connection in list(server.connections):
            connection.abort()
        await server.after_stop()  # type: ignore[no-untyped-call]
