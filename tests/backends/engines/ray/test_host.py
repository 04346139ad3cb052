"""A host by itself, without a Ray."""

from __future__ import annotations

import subprocess
import sys

from tests.backends.engines.ray.installed import needs_ray

_PROGRAM = """
import asyncio, resource
from tfaas_backends.engines.ray.host import Host
from tfaas_backends.engines.ray.host_config import packed
from tfaas_core.config import load_config

async def main():
    host = Host(packed(load_config(None, ["engine.isolation=inline"], {})), 0)
    files, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (4, most))
    state = await host.follow(None)
    print(state.why, flush=True)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, most))
    while state.why and "cannot start: OSError" in state.why:
        state = await host.follow(state)
    print(state.why, flush=True)
    await host.stop()

asyncio.run(main())
"""


@needs_ray
def test_a_host_whose_process_cannot_be_started_tries_again() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True, timeout=120
    )
    first, then = done.stdout.splitlines()
    assert first.endswith("Too many open files")
    assert "a host needs processes for models" in then
