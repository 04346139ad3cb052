"""Models' processes share what all of them need: the fork server has imported it."""

from __future__ import annotations

import asyncio
import socket

from tests.core.engine.in_parent.fork_servers.preloaded import say_whether_ours_is_there
from tests.core.engine.in_parent.fork_servers.test_fork_servers import running
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.runtime import FakeRuntime


@in_event_loop
async def test_what_a_models_process_does_is_imported_before_it_is_forked() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        async with running(a=FakeRuntime()) as servers:
            await servers.start(theirs, "a", say_whether_ours_is_there)
            theirs.close()
            assert await asyncio.to_thread(ours.recv, 100) == b"True"
