"""What plugins listen on, in a real server: bound by the parent, served and drained by workers."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.plugin_site import environment_with, write_plugin
from tfaas_core.processes.in_parent.listener import bind
from tfaas_core.testing.hosts import HEAVY_PLUGINS
from tfaas_core.testing.ports import lasting_port
from tfaas_core.testing.server import RunningServer, running_server
from tfaas_core.testing.waiting import until

LIGHT = f"plugins.disabled={json.dumps(HEAVY_PLUGINS)}"

PLUGIN = """
import asyncio, os
from contextlib import asynccontextmanager
from tfaas_core.hookspecs import hookimpl
from tfaas_core.listener import Listener

@asynccontextmanager
async def serve(host, sock):
    open_ones = set()

    async def answer(reader, writer):
        open_ones.add(asyncio.current_task())
        while line := await reader.readline():
            if line == b"slow\\n":
                await asyncio.sleep(0.5)
            models = len(host.catalog.list())
            writer.write(b"%d %d %b" % (os.getpid(), models, line))
            await writer.drain()
            if line == b"slow\\n":
                break
        writer.close()

    START
    async with server:
        yield
        server.close()
        await asyncio.gather(*open_ones)

@hookimpl
def tfaas_register_listeners(config):
    return [Listener("echo", "127.0.0.1", PORT, serve, MORE url="echo://{address}/")]
"""
ACCEPT = "server = await asyncio.start_server(answer, sock=sock)"
OF_ITS_OWN = "server = await asyncio.start_server(answer, *sock.getsockname(), reuse_port=True)"


def source(*, start: str = ACCEPT, port: int = 0, more: str = "") -> str:
    return PLUGIN.replace("START", start).replace("PORT", str(port)).replace("MORE", more)


@pytest.fixture(params=["handed", "of its own"])
def echoing(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunningServer]:
    """A server of two workers, which share a socket, or have one each on the same port."""
    is_own = request.param == "of its own"
    plugin = source(start=OF_ITS_OWN, more="reuse_port=True,") if is_own else source()
    with server_of(tmp_path, plugin) as server:
        yield server


@contextmanager
def server_of(folder: Path, plugin: str) -> Iterator[RunningServer]:
    write_plugin(folder / "site", "tfaas-echo", plugin)
    env = environment_with(folder / "site")
    with running_server(folder, "server.workers=2", LIGHT, env=env) as server:
        yield server


def port_of(server: RunningServer) -> int:
    found = re.fullmatch(
        r"TFaaS \S+ serves http://127\.0\.0\.1:\d+, echo at echo://127\.0\.0\.1:(\d+)/\n",
        server.start_line,
    )
    assert found, server.start_line
    return int(found[1])


def say(port: int, line: bytes) -> list[bytes]:
    """The words of the answer: the worker's pid, how many models it knows, the line."""
    with socket.create_connection(("127.0.0.1", port), 30) as client:
        client.sendall(line)
        with client.makefile("rb") as answer:
            return answer.readline().split()


def test_all_workers_serve_it_those_that_replace_others_too(echoing: RunningServer) -> None:
    port = port_of(echoing)
    first, _ = before = {process.pid for process in echoing.workers()}
    answered: set[int] = set()

    def has_answered(pids: set[int]) -> bool:
        pid, models, line = say(port, b"hello\n")
        assert (models, line) == (b"0", b"hello")
        answered.add(int(pid))
        return pids <= answered

    until(lambda: has_answered(before))
    os.kill(first, 9)
    until(lambda: len({p.pid for p in echoing.workers()} - before) == 1)
    (new,) = {process.pid for process in echoing.workers()} - before
    until(lambda: answers(port) and has_answered({new}))
    assert echoing.http.get("/models").status_code == 200


def answers(port: int) -> bool:
    """Whether it does: what waits in the socket of a worker that was killed is reset."""
    try:
        return bool(say(port, b"hello\n"))
    except ConnectionError:
        return False


def test_what_has_come_is_answered_at_a_stop_and_nobody_else_gets_in(
    echoing: RunningServer,
) -> None:
    port = port_of(echoing)
    with socket.create_connection(("127.0.0.1", port), 30) as client:
        client.sendall(b"hello\n")
        with client.makefile("rb") as answer:
            assert answer.readline().endswith(b"hello\n")
            client.sendall(b"slow\n")
            echoing.parent.terminate()
            assert answer.readline().endswith(b" slow\n")
    assert echoing.process.wait(60) == 0
    with pytest.raises(ConnectionRefusedError):
        say(port, b"hello\n")
    assert "ERROR" not in echoing.log.read_text()


def fails_to_start(folder: Path, plugin: str, *settings: str, command: str = "serve") -> str:
    """The last line on stderr."""
    write_plugin(folder / "site", "tfaas-echo", plugin)
    settings = ("server.port=0", "server.workers=1", LIGHT, f"storage.root={folder}/m", *settings)
    run = subprocess.run(
        [sys.executable, "-m", "tfaas_core", command]
        + [word for setting in settings for word in ("--set", setting)],
        env=os.environ | environment_with(folder / "site"),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (run.returncode, run.stdout) == (1, ""), run
    return run.stderr.splitlines()[-1]


@pytest.mark.parametrize("more", ["", "reuse_port=True,"])
def test_a_port_that_is_taken_ends_the_start(tmp_path: Path, more: str) -> None:
    with bind("127.0.0.1", 0, reuse_port=bool(more)) as other:
        if more:
            other.listen()
        port = other.getsockname()[1]
        assert fails_to_start(tmp_path, source(port=port, more=more)) == (
            f"tfaas: plugin tfaas_echo (tfaas-echo 1.0) cannot listen on 127.0.0.1:{port} for its "
            "listener `echo`: Address already in use; let it listen elsewhere, or list it in "
            "[plugins] disabled"
        )


def test_one_that_fails_to_start_in_a_worker_ends_the_start(tmp_path: Path) -> None:
    assert fails_to_start(tmp_path, source(start="raise OSError('no certificate')")) == (
        "tfaas: plugin tfaas_echo (tfaas-echo 1.0) failed in starting the listener `echo`: "
        "OSError: no certificate; fix it, or list it in [plugins] disabled"
    )


def test_one_that_is_not_registered_in_each_process_ends_the_start(tmp_path: Path) -> None:
    name = '"echo" + str(os.getpid())'
    said = fails_to_start(tmp_path, source().replace('"echo"', name))
    assert "is registered in one process of the server and not in another" in said


@pytest.mark.parametrize("command", ["serve", "check"])
def test_two_at_the_same_address_are_found_by_check_and_serve(tmp_path: Path, command: str) -> None:
    port = lasting_port()
    settings = f"server.admin_port={port}"
    said = fails_to_start(tmp_path, source(port=port), settings, command=command)
    assert f"its listener `echo` on 127.0.0.1:{port}, where the listener `management`" in said


def test_check_finds_an_address_of_another_machine(tmp_path: Path) -> None:
    elsewhere = source().replace("127.0.0.1", "192.0.2.1")
    said = fails_to_start(tmp_path, elsewhere, "server.open=true", command="check")
    assert "cannot listen on 192.0.2.1:0 for its listener `echo`" in said
