"""The server heals when a process dies, drains when it is told to, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from tfaas_core.testing.clients import Clients, fake_server
from tfaas_core.testing.forked import is_alive, kill_and_wait
from tfaas_core.testing.runtime import HANGS, TRIGGER
from tfaas_core.testing.server import RunningServer
from tfaas_core.testing.waiting import until


@pytest.fixture(scope="module")
def healing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server that the tests of this file may kill the children of."""
    with fake_server(tmp_path_factory.mktemp("healing"), "server.request_timeout_s=10") as server:
        for name in ("one", "two"):
            assert server.upload(name, b"sum").status_code == 200
        yield server


def until_healed(server: RunningServer, model: str) -> None:
    """Until a request is answered again. How long that may take is for ``make chaos``."""
    until(lambda: server.predict(model=model, values=[1, 2, 3]).status_code == 200)


def test_a_killed_model_process_is_replaced_and_other_models_never_fail(
    healing: RunningServer,
) -> None:
    with Clients(healing, "one one two two") as clients:
        clients.wait_for(100)
        kill_and_wait(healing.model_processes()[0])
        until_healed(healing, "one")
        until_healed(healing, "two")
        clients.wait_for(100)
    failures = {
        model: {s: n for s, n in clients.statuses(model).items() if s != 200}
        for model in ("one", "two")
    }
    assert {} in failures.values()
    assert all(set(failed) <= {503} for failed in failures.values()), failures


def test_a_model_that_aborts_takes_only_itself_down(healing: RunningServer) -> None:
    assert healing.upload("fragile", b"abort").status_code == 200
    with Clients(healing, "one two") as clients:
        clients.wait_for(50)
        answer = healing.predict(model="fragile", values=[TRIGGER, 0, 0])
        assert answer.status_code == 503
        assert answer.json()["code"] == "model_lost"
        assert answer.headers["Retry-After"] == "1"
        until_healed(healing, "fragile")
        clients.wait_for(50)
    assert set(clients.statuses("one")) == set(clients.statuses("two")) == {200}


def test_a_killed_http_worker_is_replaced(healing: RunningServer) -> None:
    killed = healing.workers()[0]
    kill_and_wait(killed)
    until_healed(healing, "one")
    until(lambda: len(healing.workers()) == 2)
    for _ in range(20):
        with closing(HTTPConnection(urlsplit(healing.url).netloc, timeout=30)) as connection:
            connection.request("GET", "/models/one")
            assert connection.getresponse().status == 200


def test_connections_that_no_worker_has_accepted_yet_outlive_all_workers(tmp_path: Path) -> None:
    with fake_server(tmp_path) as server, ExitStack() as closing_all:
        assert server.upload("one", b"sum").status_code == 200
        doomed = server.workers()
        for worker in doomed:
            worker.suspend()
        until(lambda: {worker.status() for worker in doomed} == {psutil.STATUS_STOPPED})
        address = urlsplit(server.url).netloc
        waiting = [HTTPConnection(address, timeout=30) for _ in range(20)]
        for connection in waiting:
            closing_all.callback(connection.close)
            connection.request("POST", "/json", b'{"model": "one", "values": [1, 2, 3]}')
        for worker in doomed:
            worker.kill()
        assert [connection.getresponse().read() for connection in waiting] == [b"[6.0]"] * 20


def test_a_worker_that_starts_while_the_models_folder_is_away_makes_no_other(
    tmp_path: Path,
) -> None:
    models, aside = tmp_path / "models", tmp_path / "aside"
    with fake_server(tmp_path, "server.workers=1") as server:
        assert server.upload("one", b"sum").status_code == 200
        models.rename(aside)
        (killed,) = server.workers()
        killed.kill()
        until(lambda: killed not in server.workers() and len(server.workers()) == 1)
        with Clients(server, "one") as clients:
            clients.wait_for(50)
            assert not models.exists()
            aside.rename(models)
            until(lambda: clients.got["one", 200] > 0)
        assert set(clients.statuses("one")) == {200, 503}


def test_a_killed_fork_server_is_replaced_and_no_request_fails(healing: RunningServer) -> None:
    with Clients(healing, "one two") as clients:
        clients.wait_for(50)
        killed = healing.fork_server()
        kill_and_wait(killed)
        clients.wait_for(50)
        assert healing.upload("later", b"sum").status_code == 200
        until_healed(healing, "later")
    assert healing.fork_server().pid != killed.pid
    assert set(clients.statuses("one")) == set(clients.statuses("two")) == {200}


def test_a_stuck_model_does_not_stay_stuck(tmp_path: Path) -> None:
    with fake_server(tmp_path, "server.workers=1", "server.request_timeout_s=0.5") as server:
        assert server.upload("hanging", b"hang").status_code == 200
        late = server.predict(model="hanging", values=[TRIGGER, 0, 0])
        assert (late.status_code, late.json()["code"]) == (504, "deadline_passed")
        until(lambda: server.predict(model="hanging", values=[1, 2, 3]).status_code == 200)


def test_a_full_queue_is_a_503_with_retry_after(tmp_path: Path) -> None:
    with fake_server(tmp_path, "server.workers=1", "engine.max_queue_rows=4") as server:
        assert server.upload("slow", b"sleep 0.2").status_code == 200
        with Clients(server, "slow " * 12) as clients:
            until(lambda: clients.got["slow", 503] > 0 and clients.got["slow", 200] > 8)
            answers = []

            def is_refused() -> bool:
                answers.append(server.predict(model="slow", values=[[1, 2, 3]] * 4))
                return answers[-1].status_code == 503

            # Between two runs, there is room for a moment.
            until(is_refused)
        full = answers[-1]
        assert set(clients.statuses("slow")) == {200, 503}
        assert (full.status_code, full.json()["code"]) == (503, "queue_full")
        assert full.headers["Retry-After"] == "1"
        until_healed(server, "slow")
        too_many = server.predict(model="slow", values=[[1, 2, 3]] * 5)
        assert too_many.status_code == 413
        assert "engine.max_queue_rows" in too_many.json()["error"]


def test_models_load_again_after_a_restart_and_the_least_used_is_unloaded(tmp_path: Path) -> None:
    with fake_server(tmp_path, "server.workers=1") as server:
        for name in ("a", "b", "c"):
            assert server.upload(name, b"sum").status_code == 200
    (tmp_path / "again").mkdir()
    settings = f"storage.root={tmp_path / 'models'}", "engine.max_loaded_models=2"
    with fake_server(tmp_path / "again", "server.workers=1", *settings) as server:
        assert server.names() == ["a", "b", "c"]
        assert server.model_processes() == []
        for name in ("a", "b", "a", "c"):
            assert server.predict(model=name, values=[1, 2, 3]).json() == [6.0]
        until(lambda: len(server.model_processes()) == 2)
        kept = {process.pid for process in server.model_processes()}
        assert server.predict(model="a", values=[1, 2, 3]).json() == [6.0]
        assert {process.pid for process in server.model_processes()} == kept
        assert server.predict(model="b", values=[1, 2, 3]).json() == [6.0]


def test_a_deleted_model_gives_its_process_back(healing: RunningServer) -> None:
    before = {process.pid for process in healing.model_processes()}
    assert healing.upload("short", b"sum").status_code == 200
    (process,) = [p for p in healing.model_processes() if p.pid not in before]
    assert healing.http.delete("/delete/short").status_code == 200
    until(lambda: not process.is_running())


def test_a_new_version_is_switched_to_without_a_failed_request(healing: RunningServer) -> None:
    assert healing.upload("switched", b"sum").status_code == 200
    with Clients(healing, "switched switched") as clients:
        for version in range(2, 8):
            clients.wait_for(20)
            answer = healing.upload("switched", b"sum")
            assert answer.json()["version"] == version
    assert set(clients.statuses("switched")) == {200}
    kept = healing.log.parent / "models" / "switched"
    assert sorted(path.name for path in kept.iterdir()) == ["5", "6", "7"]


@pytest.mark.parametrize("isolation", ["model", "shared", "inline"])
def test_sigterm_drains_and_leaves_nothing(tmp_path: Path, isolation: str) -> None:
    with fake_server(tmp_path, f"engine.isolation={isolation}") as server:
        assert server.upload("slow", b"sleep 0.05").status_code == 200
        family = server.parent.children(recursive=True)
        with Clients(server, "slow " * 8) as clients:
            clients.wait_for(20)
            assert server.stop() == 0
        # A client that comes back for another request finds the door closed; that is no loss.
        assert set(clients.statuses("slow")) <= {200, ConnectionRefusedError}
        until(lambda: not any(map(is_alive, family)), 10)
        assert "Traceback" not in server.log.read_text()


@pytest.mark.parametrize("isolation", ["model", "shared", "inline"])
def test_sigterm_waits_for_no_load_that_hangs(tmp_path: Path, isolation: str) -> None:
    settings = f"engine.isolation={isolation}", "server.request_timeout_s=1", "server.workers=1"
    with fake_server(tmp_path, *settings) as server, ThreadPoolExecutor() as pool:
        upload = pool.submit(server.upload, "hanging", b"hang-on-load")
        until(lambda: HANGS in server.log.read_text())
        family = server.parent.children(recursive=True)
        assert server.stop(hang_up=False) == 0
        until(lambda: not any(map(is_alive, family)), 10)
        assert upload.exception() is not None or upload.result().status_code == 503
        assert "killed" not in server.log.read_text()


@pytest.mark.parametrize("isolation", ["model", "shared", "inline"])
def test_sigterm_waits_for_no_run_that_hangs(tmp_path: Path, isolation: str) -> None:
    settings = f"engine.isolation={isolation}", "server.request_timeout_s=1", "server.workers=1"
    with fake_server(tmp_path, *settings) as server, ThreadPoolExecutor() as pool:
        assert server.upload("hanging", b"hang").status_code == 200
        asking = pool.submit(server.predict, model="hanging", values=[TRIGGER, 0, 0])
        until(lambda: HANGS in server.log.read_text())
        family = server.parent.children(recursive=True)
        assert server.stop(hang_up=False) == 0
        until(lambda: not any(map(is_alive, family)), 10)
        assert asking.exception() is not None or asking.result().status_code in (503, 504)


def test_sigterm_waits_for_no_fork_server_that_is_stopped(tmp_path: Path) -> None:
    settings = "server.request_timeout_s=1", "server.workers=1"
    with fake_server(tmp_path, *settings) as server, ThreadPoolExecutor() as pool:
        assert server.upload("one", b"sum").status_code == 200
        family = server.parent.children(recursive=True)
        server.fork_server().suspend()
        upload = pool.submit(server.upload, "two", b"sum")
        until(lambda: len(server.http.get("/status").json()["models"]) == 2)
        assert server.stop(hang_up=False) == 0
        until(lambda: not any(map(is_alive, family)), 10)
        assert upload.exception() is not None or upload.result().status_code == 503


def test_nothing_outlives_a_killed_parent(tmp_path: Path) -> None:
    with fake_server(tmp_path) as server:
        assert server.upload("stopped", b"sum").status_code == 200
        # One that runs could see for itself that nobody is there any more.
        (stopped,) = server.model_processes()
        stopped.suspend()
        assert server.upload("busy", b"sleep 0.05").status_code == 200
        family = server.parent.children(recursive=True)
        assert len(family) >= 5
        with Clients(server, "busy"):
            server.process.kill()
            server.process.wait(10)
            until(lambda: not any(map(is_alive, family)))
    root = f"storage.root={tmp_path / 'models'}"
    (tmp_path / "again").mkdir()
    with fake_server(tmp_path / "again", root, "server.workers=1") as server:
        assert server.predict(model="busy", values=[1, 2, 3]).json() == [6.0]
