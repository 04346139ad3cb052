"""The port for management, if ``server.admin_port`` asks for one."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from tfaas_core.config import Config
from tfaas_core.hookspecs import hookimpl
from tfaas_core.host import Host
from tfaas_core.listener import Listener
from tfaas_core.plugins.listeners import MANAGEMENT


@hookimpl
def tfaas_register_listeners(config: Config) -> Iterable[Listener]:
    """All that is not prediction, on ``server.admin_port``."""
    server = config.server
    if not server.has_admin_port:
        return []
    return [
        Listener(
            MANAGEMENT,
            server.admin_host,
            server.admin_port,
            _serve,
            keys="server.admin_host, server.admin_port",
            url=f"{server.scheme}://{{address}}{server.base}",
        )
    ]


@asynccontextmanager
async def _serve(host: Host, sock: socket.socket) -> AsyncIterator[None]:
    # The parent imports this module too, and has no use for Sanic.
    from tfaas_core.http.server import HttpServer

    server = HttpServer(host, sock, "management")
    await server.start()
    try:
        yield
    finally:
        await server.drain(host.config.server.request_timeout_s)
