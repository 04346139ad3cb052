"""A host by itself, without a Ray."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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

_HANGS = """
import asyncio, os, signal, sys
from tfaas_backends.engines.ray import host as module
from tfaas_backends.engines.ray.host_config import packed
from tfaas_core.config import load_config
from tfaas_core.testing.hosts import HEAVY_PLUGINS

module._STOP_GRACE_S = 0.0

async def main():
    token = "engine.remote.token=a-token-of-the-whole-cluster"
    settings = ["server.request_timeout_s=0.1", f"storage.root={sys.argv[1]}", token]
    config = load_config(None, [*settings, f"plugins.disabled={[*HEAVY_PLUGINS]}"], {})
    host = module.Host(packed(config), 0)
    assert (await host.follow(None)).address
    os.kill(host._process.pid, signal.SIGSTOP)
    print(await host.stop())

asyncio.run(main())
"""


@needs_ray
def test_a_host_that_hangs_when_it_is_told_to_stop_is_killed(tmp_path: Path) -> None:
    program = [sys.executable, "-c", _HANGS, str(tmp_path)]
    done = subprocess.run(program, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout == "did not end within 0.1 s, and was killed\n"


@needs_ray
def test_a_host_whose_process_cannot_be_started_tries_again() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True, timeout=120
    )
    first, then = done.stdout.splitlines()
    assert first.endswith("Too many open files")
    assert "a host needs processes for models" in then
