"""The HTTP server of one worker: it starts, and it drains without losing a request."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from itertools import islice

from tfaas_core.host import Host
from tfaas_core.http.app import create_app
from tfaas_core.http.door import Door
from tfaas_core.http.protocol import TfaasProtocol
from tfaas_core.http.sanic_server import SanicServer
from tfaas_core.routing.side import Side
from tfaas_core.system.network.handshakes import watch_handshakes

_LAST_CALL_S = 0.5
"""How long a connection without a request may, while draining, still begin one."""

_POLL_S = 0.02

_log = logging.getLogger("tfaas.http")


class HttpServer:
    """Serves a Host's routes on a listening socket that it may share with other processes.

    ``drain`` closes that one. ``side``: those of which port, if management has one of its own.
    """

    def __init__(self, host: Host, listener: socket.socket, side: Side = "predictions") -> None:
        self._app = create_app(host, side)
        self._listener = listener
        self._tls = None if host.tls is None else host.tls.context
        self._server: SanicServer | None = None

    async def start(self) -> None:
        """Begins to accept connections."""
        if self._tls is not None:
            watch_handshakes(self._tls, asyncio.get_running_loop(), "HTTP", _log.name)
        self._server = await SanicServer.start(self._app, self._listener, TfaasProtocol, self._tls)

    @property
    def open_connections(self) -> int:
        """How many connections there are at the moment."""
        return self._server.open_connections if self._server is not None else 0

    @property
    def most_connections(self) -> int:
        """How many there may be."""
        door: Door = self._app.ctx.door
        return door.most

    @property
    def is_accepting(self) -> bool:
        """Whether it takes further ones."""
        return self._server is not None and self._server.is_accepting

    def rest(self) -> None:
        """Leaves new connections to other processes."""
        assert self._server is not None
        self._server.rest()

    async def accept(self) -> None:
        """Takes connections again, unless it drains. Raises OSError."""
        assert self._server is not None
        await self._server.accept()

    def send_away(self, count: int) -> None:
        """Has so many clients connect anew, each after its next prediction, beside those that are
        to do so already."""
        assert self._server is not None
        staying = (each for each in self._server.connections if each.keeps_alive)
        for connection in islice(staying, count):
            connection.send_away()

    async def drain(self, timeout_s: float) -> None:
        """Answers what has been sent, lets go of connections without a whole head, and ends.

        Connections that are still busy after ``timeout_s`` seconds are cut, which is logged.
        """
        server = self._server
        assert server is not None
        await server.let_go()
        # Whoever connected before now is let in before the door closes.
        await asyncio.sleep(_POLL_S)
        server.close()
        start_s = time.monotonic()
        _log.debug("no connection is accepted any more; %d are there", len(server.connections))
        while server.connections and time.monotonic() < start_s + timeout_s:
            await asyncio.sleep(_POLL_S)
            if time.monotonic() > start_s + _LAST_CALL_S:
                # What has come while the loop was late is read first, after its timers.
                await asyncio.sleep(0)
                for connection in server.connections:
                    connection.close_if_idle()
        if busy := server.connections:
            _log.warning(
                "connections that were still busy %g s after the stop were cut: %d",
                timeout_s,
                len(busy),
            )
        for connection in busy:
            connection.abort()
        await server.end()
