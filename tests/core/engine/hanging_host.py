"""Hosts that hang: one that lets servers in, and answers nothing from then on; or any other one."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tfaas_core.engine.shared import hello
from tfaas_core.testing.suites.engine.door import TOKEN


class HangingHost:
    """Who listens at ``listener``."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self.address = "{}:{}".format(*listener.getsockname())
        self._taken: list[socket.socket] = []

    async def take_in(self) -> None:
        """Lets all in that come, until it is cancelled."""
        try:
            while True:
                sock, _address = await asyncio.get_running_loop().sock_accept(self._listener)
                self._taken.append(sock)
                await hello.let_in(sock, await hello.meet_caller(sock, TOKEN))
        finally:
            for sock in self._taken:
                sock.close()

    def heard(self) -> bytes:
        """What the first one that it has let in has said since."""
        try:
            return self._taken[0].recv(1 << 16, socket.MSG_PEEK)
        except BlockingIOError:
            return b""


@asynccontextmanager
async def hanging_host() -> AsyncIterator[HangingHost]:
    """One of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        host = HangingHost(listener)
        taking = asyncio.create_task(host.take_in())
        try:
            yield host
        finally:
            taking.cancel()
            await asyncio.gather(taking, return_exceptions=True)


class Cable:
    """Leads to the host at ``place``. Once ``hangs`` is set, nothing that this says arrives."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._passing: set[asyncio.Task[None]] = set()
        self.hangs = asyncio.Event()
        self.address = ""

    @classmethod
    @asynccontextmanager
    async def to(cls, place: str) -> AsyncIterator[Cable]:
        """One for the block."""
        cable = cls(place)
        server = await asyncio.start_server(cable._connect, "127.0.0.1", 0)
        cable.address = "{}:{}".format(*server.sockets[0].getsockname())
        try:
            yield cable
        finally:
            server.close()
            for task in cable._passing:
                task.cancel()
            await asyncio.gather(*cable._passing, return_exceptions=True)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        their_reader, their_writer = await asyncio.open_connection(*self._place.split(":"))
        there, back = self._pass(reader, their_writer), self._pass(their_reader, writer, self.hangs)
        self._passing |= {asyncio.create_task(there), asyncio.create_task(back)}

    async def _pass(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        hangs: asyncio.Event | None = None,
    ) -> None:
        try:
            while (data := await reader.read(1 << 16)) and not (hangs and hangs.is_set()):
                writer.write(data)
            if data:
                await asyncio.get_running_loop().create_future()
        finally:
            writer.close()
