"""Connections to a host that has a lot to do."""

from __future__ import annotations

import asyncio
import select
import socket

from tfaas_core.engine.in_front.dialling import FarDoor
from tfaas_core.engine.shared import hello
from tfaas_core.testing.loops import in_event_loop

TOKEN = "a-token-that-nobody-else-knows"


async def _let_in(listener: socket.socket) -> socket.socket:
    sock, _address = await asyncio.get_running_loop().sock_accept(listener)
    await hello.let_in(sock, await hello.meet_caller(sock, TOKEN))
    return sock


@in_event_loop
async def test_a_host_that_reads_nothing_during_a_long_run_is_not_gone() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        host = asyncio.create_task(_let_in(listener))
        door = FarDoor("{}:{}".format(*listener.getsockname()), TOKEN, dead_after_s=0.1)
        with await door.dial(hello.new_greeting("model", "mine")) as sock, await host:
            while select.select([], [sock], [], 0)[1]:
                sock.send(bytes(1 << 20))
            # Were the kernel to give up, it would do so in half a second.
            assert select.select([sock], [], [], 1.0)[0] == []
