"""What hosts serve, if one of them does not tell."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tfaas_backends.engines.ray.served import served_by

from tfaas_core.config import load_config
from tfaas_core.engine.shared import hello
from tfaas_core.plugins import load_plugins
from tfaas_core.testing.engine_harness import started
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.suites.engine.door import TOKEN, DoorFactory


@asynccontextmanager
async def hanging_host() -> AsyncIterator[str]:
    """The address of one that lets servers in, and answers nothing from then on."""
    taken: list[socket.socket] = []

    async def take_in() -> None:
        while True:
            sock, _address = await asyncio.get_running_loop().sock_accept(listener)
            taken.append(sock)
            await hello.let_in(sock, await hello.meet_caller(sock, TOKEN))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        taking = asyncio.create_task(take_in())
        try:
            yield "{}:{}".format(*listener.getsockname())
        finally:
            taking.cancel()
            await asyncio.gather(taking, return_exceptions=True)
            for sock in taken:
                sock.close()


@in_event_loop
async def test_a_host_that_hangs_hides_nothing_of_the_others(tmp_path: Path) -> None:
    settings = [f"engine.remote.token={TOKEN}", "engine.remote.dead_after_s=1"]
    config = load_plugins().configured(load_config(None, settings, {}))
    processes = ["engine.isolation=model"]
    async with started(hosts := DoorFactory(), tmp_path, processes) as harness:
        await harness.worker.upload("vk", "sum")
        address = hosts.made[0].address
        async with hanging_host() as hangs, asyncio.timeout(60):
            # On a busy machine, the other one may take more than a second, too.
            while not (served := await served_by(config, [hangs, address])):
                pass
    assert [(each.model, each.host) for each in served] == [("vk/1", address)]
