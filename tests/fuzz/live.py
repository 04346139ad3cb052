"""A server in this process whose event loop goes on only while a client here waits for it."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
import struct
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress

import uvloop

from tests.core.http.served import RoutesHost
from tfaas_core.http.server import HttpServer
from tfaas_core.route import Request, Response

_QUIET_TURNS = 12
"""An event loop that had nothing to do in so many turns waits for the client."""

_MOST_TURNS = 5000
_NO_LINGERING = struct.pack("ii", 1, 0)
"""A closed connection is gone at once, and so is its port."""


async def _echo(request: Request) -> Response:
    return Response(request.body)


class _Faults(logging.Handler):
    """What a log says that nobody should have caused."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(self.format(record))


class LiveServer:
    """Serves POST ``/echo``, until its ``end``."""

    def __init__(self, *settings: str) -> None:
        # HttpServer sets it, too.
        os.environ["SANIC_WORKER_PROCESS"] = "true"
        self._faults = _Faults()
        logging.getLogger().addHandler(self._faults)
        self._tell, sys.unraisablehook = sys.unraisablehook, self._note_unraisable
        self._loop = uvloop.new_event_loop()
        self._loop.set_exception_handler(self._note)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._address = self._listener.getsockname()
        self._server = HttpServer(RoutesHost({"echo": _echo}, *settings), self._listener)
        self._loop.run_until_complete(self._server.start())

    def _note(self, _loop: object, context: dict[str, object]) -> None:
        self._faults.found.append(repr(context))

    def _note_unraisable(self, what: object) -> None:
        self._faults.found.append(repr(what))

    def end(self) -> None:
        """Leaves all as it was."""
        self._loop.run_until_complete(self._server.drain(0))
        self._loop.close()
        self._listener.close()
        logging.getLogger().removeHandler(self._faults)
        sys.unraisablehook = self._tell

    def answers(self, sent: Sequence[bytes]) -> bytes:
        """What comes for these pieces, each sent when the server waits.

        Raises AssertionError if the server logs a fault, or keeps the connection.
        """
        return self._loop.run_until_complete(self._answers(sent))

    def shaken(self, client: ssl.SSLContext) -> None:
        """A client comes, and is answered. Raises AssertionError, and OSError."""
        self._loop.run_until_complete(self._shaken(client))

    async def _answers(self, sent: Iterable[bytes]) -> bytes:
        with socket.create_connection(self._address) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGERING)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.setblocking(False)
            got = bytearray()
            for piece in sent:
                with suppress(OSError):  # it hung up
                    client.sendall(piece)
                await _quiet(client, got)
        await self._let_go()
        return bytes(got)

    async def _let_go(self) -> None:
        for _ in range(_MOST_TURNS):
            if not self._server.open_connections:
                break
            await asyncio.sleep(0)
        assert not self._server.open_connections, "a connection stays whose client is gone"
        assert not self._faults.found, self._faults.found

    async def _shaken(self, client: ssl.SSLContext) -> None:
        reader, writer = await asyncio.open_connection(
            *self._address, ssl=client, server_hostname="localhost"
        )
        writer.write(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi")
        assert (await reader.readuntil(b"hi")).startswith(b"HTTP/1.1 200 OK\r\n")
        writer.transport.abort()
        await self._let_go()


async def _quiet(client: socket.socket, got: bytearray) -> None:
    """Goes on until nothing comes any more."""
    quiet = 0
    while quiet < _QUIET_TURNS:
        await asyncio.sleep(0)
        quiet += 1
        try:
            if not (data := client.recv(1 << 16)):
                return
        except BlockingIOError:
            continue
        except ConnectionError:
            return
        got += data
        quiet = 0
