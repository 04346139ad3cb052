"""The parent goes on without a file descriptor to spare."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil

from tests.plugin_site import write_plugin
from tfaas_core.testing.clients import fake_server
from tfaas_core.testing.forked import kill_and_wait
from tfaas_core.testing.server import RunningServer
from tfaas_core.testing.waiting import until


@contextmanager
def no_more_files(process: psutil.Process) -> Iterator[None]:
    """It may open none in the block."""
    soft, hard = process.rlimit(psutil.RLIMIT_NOFILE)
    taken = {int(path.name) for path in Path(f"/proc/{process.pid}/fd").iterdir()}
    lowest = next(number for number in range(soft) if number not in taken)
    process.rlimit(psutil.RLIMIT_NOFILE, (lowest, hard))
    try:
        yield
    finally:
        process.rlimit(psutil.RLIMIT_NOFILE, (soft, hard))


def is_whole(server: RunningServer) -> bool:
    return server.predict(model="one", values=[1, 2, 3]).status_code == 200


def test_a_fork_server_without_descriptors_says_try_again_and_lives_on(tmp_path: Path) -> None:
    with fake_server(tmp_path, "server.workers=1") as server:
        assert server.upload("one", b"sum").status_code == 200
        short = server.fork_server()
        with no_more_files(short):
            refused = server.upload("two", b"sum")
            assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
            assert "too many files are open in the fork server; try again" in refused.text
        assert server.upload("two", b"sum").status_code == 200
        assert server.fork_server() == short
        assert "Traceback" not in server.log.read_text()


def test_so_does_a_process_of_models(tmp_path: Path) -> None:
    # Unconfined, it is of this user, whose limits may be changed.
    settings = "server.workers=1", "engine.isolation=shared", "engine.sandbox=off"
    with fake_server(tmp_path, *settings) as server:
        assert server.upload("one", b"sum").status_code == 200
        (short,) = server.model_processes()
        with no_more_files(short):
            refused = server.upload("two", b"sum")
            assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
            assert "too many files are open in its process; try again" in refused.text
            server.workers()[0].kill()
            # The next worker has no connection to it yet.
            until(lambda: not_yet(server))
        until(lambda: is_whole(server))
        assert server.upload("two", b"sum").status_code == 200
        assert server.model_processes() == [short]


def not_yet(server: RunningServer) -> bool:
    try:
        answer = server.predict(model="one", values=[1, 2, 3])
    except httpx.TransportError:
        return False
    return (answer.status_code, answer.json()["code"]) == (503, "model_lost")


def test_a_parent_without_descriptors_replaces_workers_and_says_try_again(tmp_path: Path) -> None:
    with fake_server(tmp_path, "server.workers=2") as server:
        assert server.upload("one", b"sum").status_code == 200
        with no_more_files(server.parent):
            refused = server.upload("two", b"sum")
            assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
            assert "Too many open files; try again" in refused.json()["error"]
            killed = server.workers()[0]
            may_open = killed.rlimit(psutil.RLIMIT_NOFILE)
            kill_and_wait(killed)
            until(lambda: killed not in server.workers() and len(server.workers()) == 2)
        until(lambda: is_whole(server))
        assert {worker.rlimit(psutil.RLIMIT_NOFILE) for worker in server.workers()} == {may_open}
        assert server.upload("two", b"sum").status_code == 200
        lost = server.model_processes()
        for process in lost:
            kill_and_wait(process)
        until(lambda: is_whole(server))


LISTENS = """
from contextlib import asynccontextmanager
from tfaas_core.hookspecs import hookimpl
from tfaas_core.listener import Listener

@asynccontextmanager
async def serve(host, sock):
    yield

@hookimpl
def tfaas_register_listeners(config):
    return [Listener(f"no-{number}", "127.0.0.1", 0, serve) for number in range(20)]
"""


def test_it_replaces_workers_that_have_many_sockets_of_plugins(tmp_path: Path) -> None:
    write_plugin(tmp_path / "site", "tfaas-listening", LISTENS)
    with fake_server(tmp_path, "server.workers=1") as server, no_more_files(server.parent):
        (killed,) = server.workers()
        kill_and_wait(killed)
        until(lambda: len(server.workers()) == 1)
        assert server.http.get("/models").status_code == 200
        assert "cannot be started" not in server.log.read_text()
