"""A real Prometheus scrapes a real server, with the configuration and the rules of deploy/."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tfaas_core.testing.clients import fake_server
from tfaas_core.testing.ports import lasting_port
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


def test_it_learns_what_the_server_does(tmp_path: Path) -> None:
    with fake_server(tmp_path) as server:
        server.upload("sum", b"sum")
        body = {"model": "sum", "values": [1, 2, 3]}
        named = {"X-Request-Id": "of-a-test"}
        for _ in range(3):
            assert server.http.post("/json", json=body, headers=named).status_code == 200
        (folder := tmp_path / "prometheus").mkdir()
        with prometheus(folder, server.url.removeprefix("http://")) as client:
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
