"""Plugins that block the event loop of an HTTP worker are named while they do."""

from __future__ import annotations

import re
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.plugin_site import write_plugin
from tfaas_core.testing.clients import fake_server
from tfaas_core.testing.server import RunningServer
from tfaas_core.testing.waiting import until

PLUGIN = """
import pathlib, re, time
from tfaas_core.codec import Codec, Document
from tfaas_core.errors import BadBody
from tfaas_core.hookspecs import hookimpl
from tfaas_core.route import Response, Route

class Blocking:
    def __init__(self, folder):
        self._folder = folder

    def wait(self, name, pause):
        while not (self._folder / name).exists():
            pause()

    async def sleeping(self, request):
        self.wait(request.query["until"], lambda: time.sleep(0.01))
        return Response(b"slept")

    async def matching(self, request):
        begin, size = time.thread_time(), 20
        while time.thread_time() - begin < 1:
            begin, size = time.thread_time(), size + 1
            re.match("(a+)+$", "a" * size + "b")
        return Response(b"matched")

class BusyCodec(Codec):
    name = "busy"
    media_types = ("text/busy",)

    def __init__(self, blocking):
        self._blocking = blocking

    def parse(self, body, head):
        self._blocking.wait(body.decode(), lambda: None)
        raise BadBody("nothing is read")

    def bind(self, document, version):
        raise NotImplementedError

    def encode(self, outputs, bound, document, version):
        raise NotImplementedError

def blocking_of(config):
    return Blocking(pathlib.Path(config.storage.rest["root"]).parent)

@hookimpl
def tfaas_register_codecs(config):
    return [BusyCodec(blocking_of(config))]

@hookimpl
def tfaas_register_routes(host):
    blocking = blocking_of(host.config)
    return [
        Route("/sleeping", ("POST",), blocking.sleeping),
        Route("/matching", ("POST",), blocking.matching),
    ]
"""
BEGIN = r"event loop is blocked by plugin tfaas_block, in {} \(\S*/tfaas_block\.py:\d+\).* so far"
END = r"event loop goes on: it was blocked by plugin tfaas_block, in {} "


@pytest.fixture(scope="module")
def blocked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("blocked")
    write_plugin(folder / "site", "tfaas-block", PLUGIN)
    with fake_server(folder, "server.workers=1") as server:
        yield server


def count(server: RunningServer, pattern: str) -> int:
    return len(re.findall(pattern, server.log.read_text()))


@contextmanager
def asking(server: RunningServer, path: str, body: str = "") -> Iterator[None]:
    """In the block, the request is on its way."""
    headers = {"content-type": "text/busy"}
    client = threading.Thread(
        target=lambda: server.http.post(path, content=body, headers=headers), daemon=True
    )
    client.start()
    yield
    client.join(60)
    assert not client.is_alive()


def test_it_is_named_while_it_blocks_and_again_when_it_goes_on(blocked: RunningServer) -> None:
    with asking(blocked, "/busy", "read"):
        until(lambda: count(blocked, BEGIN.format(r"Blocking\.wait")) == 1)
        assert count(blocked, END.format(r"Blocking\.wait")) == 0
        (blocked.log.parent / "read").touch()
    until(lambda: count(blocked, END.format(r"Blocking\.wait")) == 1)


def test_of_one_place_it_is_told_once_in_a_minute(blocked: RunningServer) -> None:
    name = r"\S*<lambda>"
    for turn in ("first", "second"):
        with asking(blocked, f"/sleeping?until={turn}"):
            until(lambda: count(blocked, BEGIN.format(name)) == 1)
            time.sleep(1.5)  # long enough to be told
            (blocked.log.parent / turn).touch()
        until(lambda: count(blocked, END.format(name)) == 1)
    assert (count(blocked, BEGIN.format(name)), count(blocked, END.format(name))) == (1, 1)


def test_one_that_lets_no_other_thread_run_is_named_right_afterwards(
    blocked: RunningServer,
) -> None:
    with asking(blocked, "/matching"):
        pass
    name = r"Blocking\.matching"
    until(lambda: count(blocked, BEGIN.format(name)) == count(blocked, END.format(name)) == 1)


def test_nobody_is_blamed_for_a_worker_that_was_stopped(blocked: RunningServer) -> None:
    before = count(blocked, "tfaas.watchdog")
    (worker,) = blocked.workers()
    worker.send_signal(signal.SIGSTOP)
    time.sleep(1.5)  # long enough to be told
    worker.send_signal(signal.SIGCONT)
    time.sleep(1)
    assert blocked.http.get("/models").status_code == 200
    assert count(blocked, "tfaas.watchdog") == before


def test_it_leaves_no_trace_when_the_server_ends(tmp_path: Path) -> None:
    with fake_server(tmp_path, "server.workers=1") as server:
        assert server.stop() == 0
    assert "tfaas.watchdog" not in server.log.read_text()
