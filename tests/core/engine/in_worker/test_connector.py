"""What the pool hands over, and cannot be connected to, fails the call that waits for it."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tfaas_core.config import load_config
from tfaas_core.engine.base import WorkerContext
from tfaas_core.engine.in_worker.local_engine import LocalEngine
from tfaas_core.engine.shared.messages import Acquire, Connected, ToPool
from tfaas_core.errors import Unavailable
from tfaas_core.system.link import Link
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.models import model_version


@asynccontextmanager
async def engine_of_a_pool_that_gives(*descriptors: int) -> AsyncIterator[LocalEngine]:
    """An engine whose pool answers each question by a connection of these descriptors."""
    ours, theirs = socket.socketpair()

    def asked(message: ToPool, _descriptors: list[int]) -> None:
        if isinstance(message, Acquire):
            pool.send(Connected(message.call, 1, False), descriptors)

    pool: Link[ToPool] = Link(theirs, ToPool, asked, lambda: None, "the engine")
    config = load_config(environ={})
    engine = LocalEngine(WorkerContext(config, {}, 1, 0, ours, lambda version: Path()))
    try:
        yield engine
    finally:
        await engine.close()
        pool.close()


@in_event_loop
@pytest.mark.parametrize("count", [0, 1, 2])
async def test_who_waits_for_it_is_told_and_nothing_stays_open(
    count: int, caplog: pytest.LogCaptureFixture
) -> None:
    before = len(os.listdir("/proc/self/fd"))
    # The second is no memory to be shared.
    files = [os.memfd_create("test") for _ in range(count)]
    async with engine_of_a_pool_that_gives(*files) as engine:
        with pytest.raises(Unavailable, match="model 'vk' cannot be connected to at the moment"):
            await engine.ready(model_version(name="vk"))
    for file in files:
        os.close(file)
    assert len(os.listdir("/proc/self/fd")) == before
    assert "vk/1 cannot be connected to" in caplog.text
    assert ("too many files are open" in caplog.text) == (count < 2)
