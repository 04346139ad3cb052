"""``tfaas serve --reload``: who changes a plugin sees what it does then."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.plugin_site import environment_with, write_plugin
from tfaas_core.testing.forked import is_alive
from tfaas_core.testing.hosts import HEAVY_PLUGINS
from tfaas_core.testing.waiting import until

STOPS_WITHIN_S = 60.0

GREETING = """
from tfaas_core.hookspecs import hookimpl
from tfaas_core.route import Response, Route

async def greet(request):
    return Response(b"Hello!")

@hookimpl
def tfaas_register_routes():
    return [Route("/greeting", ("GET",), greet)]
"""


class Reloading:
    """A server that reloads, and what it prints."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self.process = process
        self.log = log

    def greeting(self) -> str:
        """The answer of the server that starts next."""
        assert self.process.stdout is not None
        url = self.process.stdout.readline().split()[-1]
        return httpx.get(f"{url}/greeting", timeout=STOPS_WITHIN_S).text

    def wait_for(self, line: str) -> None:
        until(lambda: line in self.log.read_text(), STOPS_WITHIN_S, f"{line!r} in the log")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "plugins.d"
    folder.mkdir()
    (folder / "greeting.py").write_text(GREETING)
    (tmp_path / "tfaas.toml").write_text("")
    return folder


@pytest.fixture
def server(folder: Path, tmp_path: Path) -> Iterator[Reloading]:
    write_plugin(tmp_path / "site", "tfaas-parting", GREETING.replace("greeting", "parting"))
    disabled = f"plugins.disabled={list(HEAVY_PLUGINS)}"
    settings = ("--set", "server.port=0", "--set", "server.workers=1", "--set", disabled)
    log = tmp_path / "server.log"
    command = [sys.executable, "-m", "tfaas_core", "serve", "--reload"]
    with (
        log.open("w") as errors,
        subprocess.Popen(
            [*command, "--plugins-dir", folder.name, *settings],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=os.environ | environment_with(tmp_path / "site"),
            start_new_session=True,
        ) as process,
    ):
        yield Reloading(process, log)
        if process.poll() is None:
            process.kill()


def test_a_changed_file_is_served_and_a_broken_one_is_waited_for(
    server: Reloading, folder: Path, tmp_path: Path
) -> None:
    file = folder / "greeting.py"
    assert server.greeting() == "Hello!"
    file.write_text(GREETING.replace("Hello", "Howdy"))
    assert server.greeting() == "Howdy!"
    file.write_text("import nothing_of_this_name")
    server.wait_for("No module named 'nothing_of_this_name'; fix it")
    server.wait_for("tfaas: the server has ended; it starts again when a file changes")
    file.write_text(GREETING.replace("Hello", "Bye"))
    assert server.greeting() == "Bye!"
    (tmp_path / "tfaas.toml").write_text("[server]\nlog_level = 'error'\n")
    assert server.greeting() == "Bye!"
    (tmp_path / "site" / "tfaas_parting.py").write_text(GREETING.replace("greeting", "leaving"))
    assert server.greeting() == "Bye!"
    (folder / "_more.py").write_text("")
    assert server.greeting() == "Bye!"
    told = [line for line in server.log.read_text().splitlines() if "has changed" in line]
    assert told[0] == f"tfaas: {file} has changed; the server starts again"
    assert len(told) == 6


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_with_its_server(server: Reloading, stop: signal.Signals) -> None:
    assert server.greeting() == "Hello!"
    processes = psutil.Process(server.process.pid).children(recursive=True)
    assert processes
    # As a terminal does it: to all of the group.
    os.killpg(server.process.pid, stop)
    assert server.process.wait(STOPS_WITHIN_S) == 0
    until(lambda: not any(map(is_alive, processes)), STOPS_WITHIN_S)
    assert server.log.read_text() == ""


def test_no_process_outlives_it(server: Reloading) -> None:
    assert server.greeting() == "Hello!"
    processes = psutil.Process(server.process.pid).children(recursive=True)
    server.process.kill()
    until(lambda: not any(map(is_alive, processes)), STOPS_WITHIN_S)


def test_it_ends_while_it_waits_for_a_file(server: Reloading, folder: Path) -> None:
    assert server.greeting() == "Hello!"
    (folder / "greeting.py").write_text("def")
    server.wait_for("it starts again when a file changes")
    server.process.terminate()
    assert server.process.wait(STOPS_WITHIN_S) == 0
