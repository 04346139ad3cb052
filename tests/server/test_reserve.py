"""The last HTTP worker takes connections while the others need it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from tfaas_core.processes.in_worker.reserve import MANY
from tfaas_core.testing.clients import fake_server
from tfaas_core.testing.server import RunningServer
from tfaas_core.testing.waiting import until

RESTS = "the other HTTP workers do without this one"
HELPS = "the other HTTP workers need this one"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    settings = "server.reserve_worker=true", "server.log_level=debug"
    with fake_server(tmp_path_factory.mktemp("reserve"), *settings) as server:
        yield server


@contextmanager
def connections(server: RunningServer, count: int) -> Iterator[list[HTTPConnection]]:
    """So many that were answered, and stay."""
    with ExitStack() as all_of_them:
        opened = []
        for _ in range(count):
            connection = HTTPConnection(urlsplit(server.url).netloc, timeout=30)
            all_of_them.callback(connection.close)
            opened.append(connection)
            asks(connection)
        yield opened


def asks(connection: HTTPConnection) -> None:
    connection.request("GET", "/models")
    answer = connection.getresponse()
    assert answer.read()
    assert answer.status == 200


def held(worker: psutil.Process) -> int:
    """How many connections it has."""
    found = worker.net_connections("tcp")
    return sum(one.status == psutil.CONN_ESTABLISHED for one in found)


def rests(server: RunningServer) -> bool:
    """Whether the reserve has gone as often as it was needed."""
    log = server.log.read_text()
    # It helps from the start on.
    return log.count(RESTS) > log.count(HELPS)


def test_it_takes_no_connections_while_they_are_few(server: RunningServer) -> None:
    until(lambda: rests(server))
    with connections(server, MANY // 2):
        counts = sorted(held(worker) for worker in server.workers())
    # The fixture has one, too.
    assert counts[0] == 0
    assert counts[1] >= MANY // 2


def test_it_helps_when_they_are_many_and_keeps_what_it_has(server: RunningServer) -> None:
    until(lambda: rests(server))
    with connections(server, MANY + 1) as many:
        until(lambda: not rests(server))
        with connections(server, MANY):
            assert all(held(worker) for worker in server.workers())
        for connection in many:
            asks(connection)


def test_it_helps_when_a_worker_says_nothing(server: RunningServer) -> None:
    until(lambda: rests(server))
    with connections(server, 1):
        (busy,) = [worker for worker in server.workers() if held(worker)]
        busy.suspend()
        try:
            with connections(server, 3):
                pass
        finally:
            busy.resume()


def test_it_helps_when_a_worker_is_killed_and_all_ends_in_peace(tmp_path: Path) -> None:
    settings = "server.reserve_worker=true", "server.log_level=debug"
    with fake_server(tmp_path, *settings) as server:
        with connections(server, 1):
            (busy, *_) = [worker for worker in server.workers() if held(worker)]
            busy.kill()
            with connections(server, 3):
                pass
        assert server.stop() == 0


def test_a_lone_worker_is_no_reserve(tmp_path: Path) -> None:
    with fake_server(tmp_path, "server.reserve_worker=true", "server.workers=1") as server:
        with connections(server, 3):
            pass
        assert server.stop() == 0
