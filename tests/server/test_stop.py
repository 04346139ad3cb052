"""SIGTERM at any moment of the start: the server ends soon, and says nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.plugin_site import environment_with, write_plugin
from tfaas_core.testing.server import STOP_TIMEOUT_S, running_server
from tfaas_core.testing.waiting import until

RUNTIMES = ["tfaas_backends.runtimes.graph", "tfaas_backends.runtimes.saved_model"]
ENTERS_FOR_LONG = """
import asyncio, os, pathlib
from contextlib import asynccontextmanager
from tfaas_core.hookspecs import hookimpl

@hookimpl
@asynccontextmanager
async def tfaas_lifespan(host):
    pathlib.Path(os.environ["NOTES"], str(os.getpid())).touch()
    await asyncio.sleep(60)
    yield
"""

STARTS_FOR_LONG = """
import asyncio, os, pathlib
from tfaas_core.engine.in_parent.fork_servers.fork_servers import ForkServers
from tfaas_core.engine.in_parent.pool import Pool
from tfaas_core.engine.local import LocalEngineFactory, pool_settings
from tfaas_core.hookspecs import hookimpl

class SlowSupervisor(Pool):
    async def start(self):
        await super().start()
        pathlib.Path(os.environ["NOTES"], "started").touch()
        await asyncio.sleep(60)

    async def close(self):
        await super().close()
        pathlib.Path(os.environ["NOTES"], "closed").touch()

class SlowEngines(LocalEngineFactory):
    def supervisor(self, context):
        return SlowSupervisor(pool_settings(context), ForkServers(context))

@hookimpl
def tfaas_register_engines():
    return {"slow": SlowEngines()}
"""


def test_a_server_that_is_storing_its_demo_models_ends_silently(tmp_path: Path) -> None:
    with running_server(tmp_path, "server.workers=2", arguments=["--demo"]) as server:
        assert server.stop() == 0
        said = server.log.read_text().splitlines()
        # What was stored before the stop, if anything was.
        assert [line for line in said if " tfaas.access[" not in line] == []


@pytest.mark.parametrize(
    ("source", "kind", "last"),
    [(ENTERS_FOR_LONG, "local", ""), (STARTS_FOR_LONG, "slow", "closed")],
    ids=["a worker", "the engine"],
)
def test_nobody_waits_for_what_is_still_starting(
    tmp_path: Path, source: str, kind: str, last: str
) -> None:
    site, notes = tmp_path / "site", tmp_path / "notes"
    write_plugin(site, "tfaas-slow", source)
    notes.mkdir()
    settings = ["server.port=0", "server.workers=1", f"storage.root={tmp_path / 'models'}"]
    settings += [f"plugins.disabled={json.dumps(RUNTIMES)}", f"engine.kind={kind}"]
    options = [word for setting in settings for word in ("--set", setting)]
    with subprocess.Popen(
        [sys.executable, "-m", "tfaas_core", "serve", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | environment_with(site) | {"NOTES": str(notes)},
    ) as process:
        try:
            until(lambda: list(notes.iterdir()) != [])
            process.send_signal(signal.SIGTERM)
            printed, _ = process.communicate(timeout=STOP_TIMEOUT_S)
        finally:
            process.kill()
    assert (process.returncode, printed) == (0, "")
    assert (notes / last).exists()
