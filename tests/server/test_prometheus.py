"""A real Prometheus scrapes a real server, with the configuration and the rules of deploy/."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from math import isfinite
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.deploy import dashboard
from tfaas_core.testing.clients import fake_server
from tfaas_core.testing.ports import lasting_port
from tfaas_core.testing.server import RunningServer
from tfaas_core.testing.waiting import until

DEPLOY = Path(__file__).parents[2] / "deploy"
CI = os.environ.get("CI") == "true"

pytestmark = pytest.mark.skipif(
    shutil.which("prometheus") is None and not CI, reason="apt-get install prometheus"
)


@contextmanager
def prometheus(folder: Path, target: str) -> Iterator[httpx.Client]:
    """One that asks ``target`` each second; a client of it."""
    config = (DEPLOY / "prometheus.yml").read_text()
    config = config.replace("127.0.0.1:8083", target).replace("15s", "1s")
    (folder / "prometheus.yml").write_text(config)
    shutil.copy(DEPLOY / "alerts.yml", folder)
    address = f"127.0.0.1:{lasting_port()}"
    command = ["prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data"]
    command += [f"--web.listen-address={address}", "--enable-feature=exemplar-storage"]
    with (folder / "prometheus.log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        with httpx.Client(base_url=f"http://{address}/api/v1", timeout=60) as client:
            yield client
    finally:
        process.terminate()
        process.wait(60)


def asked(client: httpx.Client, query: str) -> list[dict[str, Any]]:
    try:
        answer = client.get("/query", params={"query": query})
    except httpx.TransportError:  # it is not up yet
        return []
    return list(answer.json()["data"]["result"]) if answer.status_code == 200 else []


def health(client: httpx.Client) -> tuple[str, str]:
    """That of the only target, and why its last scrape failed."""
    (target,) = client.get("/targets").json()["data"]["activeTargets"]
    return target["health"], target["lastError"]


@pytest.fixture(scope="module")
def watched(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[RunningServer, httpx.Client]]:
    """A server, and a client of the Prometheus that scrapes it."""
    folder = tmp_path_factory.mktemp("watched")
    with fake_server(folder) as server:
        (folder / "prometheus").mkdir()
        target = server.url.removeprefix("http://")
        with prometheus(folder / "prometheus", target) as client:
            yield server, client


def test_it_learns_what_the_server_does(watched: tuple[RunningServer, httpx.Client]) -> None:
    server, client = watched
    server.upload("sum", b"sum")
    body = {"model": "sum", "values": [1, 2, 3]}
    named = {"X-Request-Id": "of-a-test"}
    for _ in range(3):
        assert server.http.post("/json", json=body, headers=named).status_code == 200
    query = 'tfaas_predictions_total{job="tfaas",model="sum",status="200"}'
    until(lambda: [each["value"][1] for each in asked(client, query)] == ["3"])
    up = 'up{job="tfaas"}'
    until(lambda: [each["value"][1] for each in asked(client, up)] == ["1"])
    rate = "sum(rate(tfaas_prediction_duration_seconds_bucket[1m])) by (le)"
    until(lambda: asked(client, f"histogram_quantile(0.5, {rate})") != [])
    rules = client.get("/rules").json()["data"]["groups"][0]["rules"]
    assert {rule["name"] for rule in rules} >= {"TFaaSDown", "TFaaSErrors"}
    # On a busy machine, a scrape may take longer than the second that it has here.
    until(lambda: health(client) == ("up", ""))
    name = "tfaas_prediction_duration_seconds_bucket"
    times = {"start": "0", "end": "9999999999", "query": name}
    until(lambda: client.get("/query_exemplars", params=times).json()["data"] != [])
    for found in client.get("/query_exemplars", params=times).json()["data"]:
        assert found["exemplars"][0]["labels"] == {"request_id": "of-a-test"}


def test_each_panel_of_the_dashboard_has_something_to_show(
    watched: tuple[RunningServer, httpx.Client],
) -> None:
    server, client = watched
    _lose_the_storage(server)
    server.upload("busy", b"sum")
    server.workers()[0].kill()
    blank = list(dashboard.asked())

    def is_shown(each: dashboard.Asked) -> bool:
        values = [float(found["value"][1]) for found in asked(client, each.query)]
        return any(map(isfinite, values))

    def are_all_shown() -> bool:
        _do_everything(server)
        blank[:] = [each for each in blank if not is_shown(each)]
        return blank == []

    with suppress(AssertionError):
        until(are_all_shown, within_s=60)
    assert blank == []
    for label, series in dashboard.choices():
        values = client.get(f"/label/{label}/values", params={"match[]": series}).json()["data"]
        assert values, f"nothing to choose of {label} in {series}"


def _do_everything(server: RunningServer) -> None:
    """Of what a panel shows: again and again, since a rate takes two scrapes."""
    # An HTTP worker was killed, or a process has ended already.
    with suppress(httpx.TransportError, psutil.NoSuchProcess):
        server.upload("busy", b"sum")
        server.upload("busy", b"no model")
        for model in ("busy", "unknown"):
            for values in ([1, 2, 3], [1]):
                server.predict(model=model, values=values)
        for loaded in server.http.get("/status").json()["models"]:
            psutil.Process(loaded["pid"]).kill()


def _lose_the_storage(server: RunningServer) -> None:
    """For the time of an upload."""
    models, away = server.log.parent / "models", server.log.parent / "away"
    models.rename(away)
    assert server.upload("busy", b"sum").status_code in (503, 507)
    away.rename(models)
