"""A server in the test's own process and event loop, with the routes that a test hands to it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
import uvloop

from tfaas_core.config import load_config
from tfaas_core.engine.resting import RestingEngine
from tfaas_core.host import Host
from tfaas_core.http.server import HttpServer
from tfaas_core.route import Handler, Route
from tfaas_core.routing.observers import Observers
from tfaas_core.routing.seam import SealedRoute, sealed
from tfaas_core.wiring.composition import Composition
from tfaas_core.wiring.worker_place import WorkerPlace

WITHIN_S = 30.0


class RoutesHost(Host):
    """Serves ``handlers``, each under its name. ``owner`` is the plugin that they come from.

    ``express``: whether plain requests go past Sanic. ``ours``: handlers that are not checked.
    ``told``: who observes the answers.
    """

    owner = ""
    express = True
    ours: tuple[str, ...] = ()
    told: Observers | None = None

    def __init__(self, handlers: dict[str, Handler], *settings: str) -> None:
        composition = Composition.of(load_config(overrides=settings, environ={}))
        super().__init__(composition, RestingEngine(), WorkerPlace())
        self._handlers = handlers

    def routes(self) -> list[SealedRoute]:
        return [
            sealed(
                Route(f"/{name}", ("POST",), handler, express=self.express),
                self.owner,
                is_ours=name in self.ours,
                observers=self.told,
            )
            for name, handler in self._handlers.items()
        ]


class Served:
    """A server that was started: ``connect`` to it, or end it by ``server.drain``."""

    def __init__(self, server: HttpServer, listener: socket.socket) -> None:
        self.server = server
        self.listener = listener
        self._writers: list[asyncio.StreamWriter] = []

    async def connect(self) -> Connection:
        reader, writer = await asyncio.open_connection(*self.listener.getsockname())
        self._writers.append(writer)
        return Connection(reader, writer)

    @property
    def connections(self) -> int:
        """How many the server has open."""
        return self.server.open_connections

    async def hang_up(self) -> None:
        """Closes all connections."""
        for writer in self._writers:
            writer.transport.abort()
            with suppress(OSError):
                await writer.wait_closed()


class Connection:
    """A client's end."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def post(self, name: str, body: bytes = b"", *headers: str) -> None:
        """Sends a request in one piece; it is plain unless ``headers`` say otherwise."""
        self.writer.write(request(name, body, *headers))

    async def answer(self) -> bytes:
        """The bytes of the next answer, whole."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = 0
        for line in head.split(b"\r\n"):
            if line.startswith(b"content-length: "):
                length = int(line.removeprefix(b"content-length: "))
        return head + await self.reader.readexactly(length)


def request(name: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"POST /{name} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *headers, "\r\n"]
    return "\r\n".join(lines).encode() + body


SANICS = ("X-Lane: Sanic's", "X-Lane: because this one is repeated")
"""Headers of a request that is not plain."""

Test = Callable[[Served], Awaitable[None]]


def serve(handlers: dict[str, Handler], test: Test, *settings: str) -> None:
    """Runs ``test`` beside a server of ``handlers``, which is gone at the end."""
    serve_host(RoutesHost(handlers, *settings), test)


def serve_host(host: Host, test: Test) -> None:
    """Runs ``test`` beside a server of all routes of ``host``."""

    async def beside() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            server = HttpServer(host, listener)
            await server.start()
            served = Served(server, listener)
            try:
                async with asyncio.timeout(WITHIN_S):
                    await test(served)
            finally:
                await served.hang_up()
                await server.drain(0)

    with (
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        pytest.MonkeyPatch.context() as patch,
    ):
        # HttpServer sets it.
        patch.setenv("SANIC_WORKER_PROCESS", "true")
        runner.run(beside())
