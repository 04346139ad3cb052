"""A host of models that somebody stops, as a server tells of it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tfaas_core.testing.clients import fake_server
from tfaas_core.testing.hosts import HEAVY_PLUGINS
from tfaas_core.testing.server import RunningServer
from tfaas_core.testing.waiting import until


@contextmanager
def host_of_models(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process, and its address."""
    settings = f"storage.root={folder / 'models'}", f"plugins.disabled={json.dumps(HEAVY_PLUGINS)}"
    options = [word for setting in settings for word in ("--set", setting)]
    command = [sys.executable, "-m", "tfaas_core", "serve-engine", "--listen", "127.0.0.1:0"]
    with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().split()[-1]
        finally:
            process.kill()


def told_of(server: RunningServer) -> dict[str, Any]:
    (told,) = server.http.get("/status", timeout=30).json()["hosts"]
    assert isinstance(told, dict)
    return told


def test_a_host_that_is_stopped_is_silent_until_it_goes_on_and_away_once_it_has_ended(
    tmp_path: Path,
) -> None:
    with host_of_models(tmp_path) as (host, address):
        remote = "engine.kind=remote", f"engine.remote.hosts={json.dumps([address])}"
        with fake_server(tmp_path, *remote, "engine.remote.dead_after_s=1") as server:

            def is_up(number: int) -> bool:
                metric = f'tfaas_answering_hosts{{host="{address}"}} {number}'
                return metric in server.http.get("/metrics").text

            until(lambda: told_of(server) == {"host": address, "state": "serves"})
            until(lambda: is_up(1))
            host.send_signal(signal.SIGSTOP)
            until(lambda: told_of(server)["state"] == "silent")
            assert f"host {address} (engine.remote.hosts) is connected" in told_of(server)["why"]
            until(lambda: is_up(0))
            host.send_signal(signal.SIGCONT)
            until(lambda: told_of(server) == {"host": address, "state": "serves"})
            host.terminate()
            host.wait(60)
            until(lambda: told_of(server)["state"] == "away")
