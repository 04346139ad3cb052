from __future__ import annotations

import asyncio
import importlib
import socket
from pathlib import Path

from tfaas_core.config import load_config
from tfaas_core.engine.base import EngineContext
from tfaas_core.engine.in_model_process import process as model_process
from tfaas_core.engine.in_parent.fork_servers import ForkServers
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.runtime import FakeRuntime

SAYING_WHAT_IS_IMPORTED = f"""
import sys

def say(sock, runtimes):
    sock.sendall(str({model_process.__name__!r} in sys.modules).encode())
"""


@in_event_loop
async def test_what_each_process_of_a_model_needs_is_imported_before_it_is_forked(
    site: Path,
) -> None:
    (site / "tfaas_saying.py").write_text(SAYING_WHAT_IS_IMPORTED)
    say = importlib.import_module("tfaas_saying").say
    servers = ForkServers(EngineContext(load_config(None, (), {}), {"a": FakeRuntime()}, 1))
    ours, theirs = socket.socketpair()
    with ours, theirs:
        try:
            await servers.start(theirs, "a", say)
            assert await asyncio.to_thread(ours.recv, 100) == b"True"
        finally:
            servers.close()
