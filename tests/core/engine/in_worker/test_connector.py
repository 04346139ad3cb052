"""What the pool hands over, and cannot be connected to, fails the call that waits for it."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path

import msgspec
import pytest

from tfaas_core.config import load_config
from tfaas_core.engine.base import WorkerContext
from tfaas_core.engine.in_worker.local_engine import LocalEngine
from tfaas_core.engine.shared.fleet_messages import Joined
from tfaas_core.engine.shared.messages import Acquire, Connected, Release, ToPool, ToWorker
from tfaas_core.engine.shared.meter import Meter
from tfaas_core.errors import Unavailable
from tfaas_core.system.links.link import Link
from tfaas_core.testing.engine_harness import rows_of
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.models import model_version
from tfaas_core.testing.runtime import SIGNATURE


@asynccontextmanager
async def engine_of_a_pool_that_gives(
    *descriptors: int, then: Sequence[tuple[ToWorker, tuple[int, ...]]] = ()
) -> AsyncIterator[LocalEngine]:
    """An engine whose pool answers each question by a connection of these descriptors, ticket 1.

    ``then``: what it sends right behind that, with descriptors.
    """
    ours, theirs = socket.socketpair()

    def asked(message: ToPool, _descriptors: list[int]) -> None:
        if isinstance(message, Acquire):
            pool.send(Connected(message.call, 1, False), descriptors)
            for each, with_it in then:
                pool.send(each, with_it)

    pool: Link[ToPool] = Link(theirs, ToPool, asked, lambda: None, "the engine")
    config = load_config(environ={})
    engine = LocalEngine(WorkerContext(config, {}, 1, 0, ours, lambda version: Path()))
    try:
        yield engine
    finally:
        await engine.close()
        pool.close()


@in_event_loop
@pytest.mark.parametrize("count", [0, 1, 2, 3])
async def test_who_waits_for_it_is_told_and_nothing_stays_open(
    count: int, caplog: pytest.LogCaptureFixture
) -> None:
    gc.collect()  # what other tests have left is not closed meanwhile
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


@in_event_loop
async def test_who_waited_for_a_process_that_goes_is_answered_by_another_one() -> None:
    version = msgspec.structs.replace(model_version(name="vk"), signature=SIGNATURE)
    (to_first, first), (to_other, other) = socket.socketpair(), socket.socketpair()
    with to_first, first, to_other, other, closing(Meter.create(1)) as meter:
        joined = Joined(2, version.key), (to_other.fileno(), meter.descriptor)
        then = (joined, (Release(1), ()))
        other.setblocking(False)
        async with engine_of_a_pool_that_gives(
            to_first.fileno(), meter.descriptor, then=then
        ) as engine:
            asked = asyncio.ensure_future(engine.run(version, [rows_of(1)], 1))
            received = asyncio.ensure_future(asyncio.get_running_loop().sock_recv(other, 1))
            await asyncio.wait([asked, received], return_when=asyncio.FIRST_COMPLETED)
            assert received.done()
        await asyncio.gather(asked, return_exceptions=True)
