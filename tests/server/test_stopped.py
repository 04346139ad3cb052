"""Processes of the server that somebody stops, and does not let go on."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.plugin_site import write_plugin
from tfaas_core.testing.clients import fake_server
from tfaas_core.testing.runtime import HANGS
from tfaas_core.testing.server import RunningServer
from tfaas_core.testing.waiting import until

SLEEPER = """
import time
from tfaas_core.hookspecs import hookimpl
from tfaas_core.route import Route

async def sleep(request):
    time.sleep(3600)

async def poll(request):
    while True:
        time.sleep(0.01)

@hookimpl
def tfaas_register_routes(host):
    return [Route("/sleep", ("POST",), sleep), Route("/poll", ("POST",), poll)]
"""

WITHIN_S = 60
"""It takes about ten, if the machine is not busy."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with fake_server(tmp_path_factory.mktemp("stopped"), "server.workers=2") as server:
        assert server.upload("one", b"sum").status_code == 200
        yield server


def answers(server: RunningServer) -> bool:
    return server.predict(model="one", values=[1, 2, 3]).status_code == 200


def logs(server: RunningServer, words: str) -> bool:
    return words in server.log.read_text()


def test_a_stopped_model_process_is_replaced(server: RunningServer) -> None:
    (stopped,) = server.model_processes()
    stopped.suspend()
    until(lambda: not stopped.is_running(), WITHIN_S)
    until(lambda: answers(server))
    log = server.log.read_text()
    assert "one/1" in log
    assert "is stopped: replacing its process" in log


def test_an_upload_is_not_to_blame_if_its_process_is_stopped(server: RunningServer) -> None:
    before = {process.pid for process in server.model_processes()}
    with ThreadPoolExecutor() as pool:
        upload = pool.submit(server.upload, "hanging", b"hang-on-load")
        until(lambda: HANGS in server.log.read_text())
        (loading,) = [p for p in server.model_processes() if p.pid not in before]
        loading.suspend()
        answer = upload.result(WITHIN_S)
    assert (answer.status_code, answer.json()["code"]) == (503, "model_lost")
    assert "try again" in answer.json()["error"]


def test_a_stopped_fork_server_is_replaced_and_uploads_only_wait(server: RunningServer) -> None:
    stopped = server.fork_server()
    stopped.suspend()
    assert server.upload("later", b"sum").status_code == 200
    assert server.fork_server().pid != stopped.pid
    assert answers(server)


def test_a_stopped_http_worker_is_replaced(server: RunningServer) -> None:
    stopped = server.workers()[0]
    stopped.suspend()
    until(lambda: not stopped.is_running(), WITHIN_S)
    until(lambda: len(server.workers()) == 2)
    assert "is stopped: replacing it" in server.log.read_text()
    assert answers(server)


def test_http_workers_whose_loops_are_held_for_ever_are_replaced(tmp_path: Path) -> None:
    write_plugin(tmp_path / "site", "tfaas-sleeper", SLEEPER)
    settings = "server.workers=2", "server.request_timeout_s=10"
    with fake_server(tmp_path, *settings) as server, ThreadPoolExecutor() as pool:
        first = {worker.pid for worker in server.workers()}
        asked = []
        for name in ("sleep", "poll"):
            asked.append(pool.submit(server.http.post, f"/{name}"))
            # The other worker takes the next one.
            until(partial(logs, server, f"tfaas_sleeper, in {name} ("))
        for each in asked:
            assert isinstance(each.exception(WITHIN_S), httpx.TransportError)

        def are_new() -> bool:
            pids = {worker.pid for worker in server.workers()}
            return len(pids) == 2 and first.isdisjoint(pids)

        until(are_new)
        assert server.http.get("/models").status_code == 200
        log = server.log.read_text()
    assert "has answered nothing and done nothing for 8 s: replacing it" in log
    assert "has answered nothing for 10 s in which it had a core: replacing it" in log
