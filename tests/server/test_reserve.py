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
from tfaas_core.testing.forked import children_named
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
    def took_none() -> bool:
        until(lambda: rests(server))
        with connections(server, MANY // 2):
            counts = sorted(held(worker) for worker in server.workers())
        # Where the machine is busy, the other worker may have been late meanwhile.
        was_needed = not rests(server)
        assert was_needed or counts == [0, MANY // 2]
        return not was_needed

    until(took_none, what="the reserve is not needed")


def pair(server: RunningServer) -> tuple[psutil.Process, psutil.Process]:
    """The worker that has all connections, and the reserve, which has none."""
    (busy,) = [worker for worker in server.workers() if held(worker)]
    (reserve,) = [worker for worker in server.workers() if worker != busy]
    return busy, reserve


def test_it_helps_when_they_are_many_and_keeps_what_it_has(server: RunningServer) -> None:
    until(lambda: rests(server))
    with connections(server, 1):
        _busy, reserve = pair(server)
    with connections(server, MANY + 1) as many:
        until(lambda: not rests(server))
        with connections(server, MANY) as more:
            ports = {one.raddr.port for one in reserve.net_connections("tcp") if one.raddr}
            own = [one for one in more if one.sock.getsockname()[1] in ports][: MANY // 4]
            for connection in {*many, *more}.difference(own):
                connection.close()
            until(lambda: rests(server))
            assert own
            for connection in own:
                asks(connection)
            assert held(reserve) == len(own)


def test_it_helps_when_a_worker_says_nothing(server: RunningServer) -> None:
    until(lambda: rests(server))
    with connections(server, 1):
        busy, reserve = pair(server)
        busy.suspend()
        try:
            with connections(server, 3):
                assert held(reserve) == 3
        finally:
            busy.resume()


def test_it_helps_when_a_worker_is_killed_and_all_ends_in_peace(tmp_path: Path) -> None:
    settings = "server.reserve_worker=true", "server.log_level=debug"
    with fake_server(tmp_path, *settings) as server:
        until(lambda: rests(server))
        with connections(server, 1):
            busy, reserve = pair(server)
            (forks,) = children_named("tfaas-workers", server.parent)
            forks.suspend()  # what is killed is not replaced
            try:
                busy.kill()
                with connections(server, 3):
                    assert held(reserve) == 3
            finally:
                forks.resume()
        assert server.stop() == 0
