"""A process that is forked, and that nobody waits for any more, does not stay."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import psutil
import pytest

from tfaas_core.config import load_config
from tfaas_core.engine.base import EngineContext
from tfaas_core.engine.in_parent.fork_servers.fork_server_process import ForkedProcess
from tfaas_core.engine.in_parent.fork_servers.fork_servers import ForkServers
from tfaas_core.system.links.link import Link
from tfaas_core.testing.forked import is_alive
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.runtime import FakeRuntime
from tfaas_core.testing.waiting import eventually


@in_event_loop
async def test_one_that_comes_just_as_whoever_asked_goes_is_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    came: list[psutil.Process] = []
    answer = Link.answer

    def answered(link: Link[Any], number: int, process: ForkedProcess) -> bool:
        came.append(psutil.Process(process.pid))
        is_awaited = answer(link, number, process)
        starting.cancel()
        return is_awaited

    monkeypatch.setattr(Link, "answer", answered)
    ours, theirs = socket.socketpair()
    servers = ForkServers(EngineContext(load_config(None, (), {}), {"fake": FakeRuntime()}, 1))
    try:
        with ours, theirs:
            starting = asyncio.ensure_future(servers.start(theirs, "fake"))
            with pytest.raises(asyncio.CancelledError):
                await starting
            await eventually(lambda: not is_alive(came[0]), "it has ended")
    finally:
        servers.close()
