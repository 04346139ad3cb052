"""A host that hangs: it lets servers in, and answers nothing from then on."""

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
