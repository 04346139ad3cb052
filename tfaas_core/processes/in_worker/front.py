"""The front: all that one HTTP worker answers on, HTTP and plugins' listeners."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tfaas_core.errors import StartupError
from tfaas_core.host import Host
from tfaas_core.plugins.lifespan import Lifespan

if TYPE_CHECKING:
    from tfaas_core.http.server import HttpServer


class Front:
    """Serves ``host`` on sockets that other workers may have, too."""

    def __init__(
        self, host: Host, listener: socket.socket, others: Mapping[str, socket.socket]
    ) -> None:
        """``listener`` is for HTTP, and ``others`` for the listeners of plugins, by name."""
        self._host = host
        self._listener = listener
        self._others = others
        self._timeout_s = host.config.server.request_timeout_s
        self._server: HttpServer | None = None
        self._serving: list[Lifespan] = []

    async def start(self) -> None:
        """Begins to accept connections, on the server's own port last. Raises StartupError."""
        # The parent imports this module too, and has no use for Sanic.
        from tfaas_core.http.server import HttpServer

        for serving in self._of_plugins():
            await serving.__aenter__()
            self._serving.append(serving)
        server = HttpServer(self._host, self._listener)
        await server.start()
        self._server = server

    @property
    def http(self) -> HttpServer:
        """What answers on the server's own port, once it was started."""
        assert self._server is not None
        return self._server

    async def drain(self) -> None:
        """Answers what has been sent, on all at once, and ends. What was not started, is not."""
        serving, self._serving = self._serving, []
        server, self._server = self._server, None
        ends = [each.__aexit__() for each in serving]
        if server is not None:
            ends.append(server.drain(self._timeout_s))
        await asyncio.gather(*ends)

    def _of_plugins(self) -> list[Lifespan]:
        host = self._host
        owned = {each.listener.name: each for each in host.plugins.listeners(host.config)}
        for name in owned.keys() ^ self._others.keys():
            raise StartupError(
                f"the listener `{name}` is registered in one process of the server and not in "
                "another: tfaas_register_listeners has to return the same in all of them"
            )
        return [
            each.serving(host, self._others[name], self._timeout_s) for name, each in owned.items()
        ]
