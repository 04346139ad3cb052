"""Health, as whoever starts servers and sends requests to them asks for it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server.test_overload import fresh, management_of
from tfaas_core.testing.clients import fake_server
from tfaas_core.testing.runtime import TRIGGER
from tfaas_core.testing.server import RunningServer, http_client
from tfaas_core.testing.waiting import until

GUARDED = (
    *("server.admin_port=0", "server.base=/tfaas"),
    'plugins.token_guard.tokens={a = "of-alice-and-nobody-else"}',
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with fake_server(tmp_path_factory.mktemp("health"), *GUARDED) as running:
        yield running


def ready(url: str) -> tuple[int, Any]:
    answer = fresh(url, "GET", "/health/ready")
    return answer.status_code, answer.json()


READY = 200, {"status": "ready"}


@pytest.mark.parametrize("what", ["live", "ready", "started"])
def test_it_is_on_both_ports_below_the_base_and_behind_no_guard(
    server: RunningServer, what: str
) -> None:
    path = "/health/startup" if what == "started" else f"/health/{what}"
    for url in (server.url, management_of(server)):
        assert url.endswith("/tfaas")
        answer = fresh(url, "GET", path)
        assert (answer.status_code, answer.json()) == (200, {"status": what})
        assert answer.headers["cache-control"] == "no-store"
        assert fresh(url, "HEAD", path).status_code == 200
        assert fresh(url, "POST", path).status_code == 405
    assert fresh(management_of(server), "GET", "/status").status_code == 401


@pytest.mark.parametrize("what", ["live", "ready"])
def test_that_of_the_open_inference_protocol_asks_no_guard_either(
    server: RunningServer, what: str
) -> None:
    for url in (server.url, management_of(server)):
        answer = fresh(url, "GET", f"/v2/health/{what}")
        assert (answer.status_code, answer.json()) == (200, {what: True})
    assert fresh(server.url, "GET", "/v2").status_code == 401


def test_a_model_that_dies_changes_nothing(tmp_path: Path) -> None:
    with fake_server(tmp_path, "server.workers=1") as server:
        assert server.upload("bad", b"abort").status_code == 200
        assert server.predict(model="bad", values=[TRIGGER, 2, 3]).status_code == 503
        assert server.upload("worse", b"abort-on-load").status_code == 422
        assert ready(server.url) == READY


def test_it_is_not_ready_while_the_storage_is_away(tmp_path: Path) -> None:
    with fake_server(tmp_path, f"storage.root={tmp_path / 'models'}") as server:
        assert ready(server.url) == READY
        (tmp_path / "models").rename(tmp_path / "away")
        (tmp_path / "models").write_text("no folder")
        reason = "the model storage cannot be read"
        lost = 503, {"status": "not ready", "reason": reason}
        until(lambda: ready(server.url) == lost)
        answer = fresh(server.url, "GET", "/v2/health/ready")
        assert (answer.status_code, answer.json()) == (503, {"error": f"not ready: {reason}"})
        assert fresh(server.url, "GET", "/health/live").status_code == 200
        (tmp_path / "models").unlink()
        (tmp_path / "away").rename(tmp_path / "models")
        until(lambda: ready(server.url) == READY)


def test_a_parent_that_is_stopped_is_noticed(tmp_path: Path) -> None:
    with fake_server(tmp_path, "server.workers=1") as server:
        os.kill(server.process.pid, signal.SIGSTOP)
        try:
            until(lambda: ready(server.url)[0] == 503)
            assert ready(server.url)[1]["reason"] == "the parent process does not answer"
        finally:
            os.kill(server.process.pid, signal.SIGCONT)
        until(lambda: ready(server.url) == READY)


def test_a_server_that_is_to_stop_answers_on_and_is_not_ready(tmp_path: Path) -> None:
    with fake_server(tmp_path, "server.drain_delay_s=600") as server:
        assert server.upload("vk", b"sum").status_code == 200
        server.process.terminate()
        leaving = 503, {"status": "not ready", "reason": "the server was told to stop"}
        until(lambda: ready(server.url) == leaving)
        with http_client(server.url) as client:
            answer = client.post("/json", json={"model": "vk", "values": [1, 2, 3]})
        assert answer.json() == [6.0]
        assert fresh(server.url, "GET", "/health/live").status_code == 200
        assert server.stop() == 0
        assert "told to stop again" in server.log.read_text()


def test_after_the_delay_it_drains(tmp_path: Path) -> None:
    with fake_server(tmp_path, "server.drain_delay_s=0.2", "server.workers=1") as server:
        assert server.stop() == 0
        assert "again" not in server.log.read_text()
