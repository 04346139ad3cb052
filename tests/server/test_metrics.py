"""Metrics, as Prometheus and an operator see them."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tfaas_core.testing.clients import Clients, fake_server
from tfaas_core.testing.server import RunningServer
from tfaas_core.testing.waiting import until

ROW = [1, 2, 3]
CI = os.environ.get("CI") == "true"

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None and not CI, reason="apt-get install prometheus"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with two HTTP workers, and the model ``sum``."""
    with fake_server(tmp_path_factory.mktemp("metrics")) as running:
        running.upload("sum", b"sum")
        yield running


def samples(server: RunningServer) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """All that one scrape tells."""
    said = server.http.get("/metrics")
    assert said.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(said.text)
        for sample in family.samples
    }


def count(server: RunningServer, name: str, **labels: str) -> float:
    """The sum of all series of this name that have these labels."""
    wanted = labels.items()
    return sum(v for (each, own), v in samples(server).items() if each == name and wanted <= own)


def test_whichever_worker_answers_tells_what_all_have_counted(server: RunningServer) -> None:
    labels = {"model": "sum", "version": "1", "codec": "json", "status": "200"}
    before = count(server, "tfaas_predictions_total", **labels)
    # A connection each, so that both workers get some.
    for _ in range(20):
        answer = httpx.post(f"{server.url}/json", json={"model": "sum", "values": ROW})
        assert answer.status_code == 200
    seen = {httpx.get(f"{server.url}/metrics").status_code for _ in range(4)}
    assert seen == {200}
    assert count(server, "tfaas_predictions_total", **labels) == before + 20
    for what in ("duration", "wait", "run"):
        name = f"tfaas_prediction_{what}_seconds_count"
        assert count(server, name, model="sum") >= before + 20
    runs, rows = (
        count(server, f"tfaas_batch_rows_{what}", model="sum") for what in ("count", "sum")
    )
    predicted = count(server, "tfaas_prediction_run_seconds_count", model="sum")
    assert 0 < runs <= predicted == rows


def test_no_counter_falls_and_nothing_is_lost_when_workers_are_killed(
    server: RunningServer,
) -> None:
    def all_counters() -> dict[Any, float]:
        # Those of CPU time belong to a process.
        found = samples(server)
        return {key: v for key, v in found.items() if "_cpu_" not in key[0] and "_total" in key[0]}

    for _ in range(10):
        assert server.predict(model="sum", values=ROW).status_code == 200
    before = all_counters()
    for worker in server.workers():
        worker.kill()
    until(lambda: len(server.workers()) == 2 and _answers(server))
    after = all_counters()
    assert {key: v for key, v in before.items() if after.get(key, 0) < v} == {}
    until(lambda: count(server, "tfaas_process_restarts_total", kind="http_worker") == 2)


def _answers(server: RunningServer) -> bool:
    try:
        return server.http.get("/metrics").status_code == 200
    except httpx.TransportError:
        return False


def test_models_come_and_go(server: RunningServer) -> None:
    loads = count(server, "tfaas_model_loads_total")
    assert server.upload("guest", b"sum").status_code == 200
    assert server.upload("guest", b"nonsense").status_code == 422
    until(lambda: count(server, "tfaas_model_loads_total", model="guest") == 1)
    assert count(server, "tfaas_model_loads_total") == loads + 1
    assert count(server, "tfaas_uploads_total", outcome="cannot_serve") == 1
    assert count(server, "tfaas_model_load_duration_seconds_count", runtime="fake") >= 1
    (process,) = [p for p in server.model_processes() if f"{p.pid}" in _pids(server, "guest")]
    process.kill()
    until(lambda: count(server, "tfaas_model_crashes_total", model="guest") == 1)
    until(lambda: server.predict(model="guest", values=ROW).status_code == 200)
    server.http.delete("/delete/guest")
    until(lambda: count(server, "tfaas_model_unloads_total", model="guest", reason="retired") == 1)


def _pids(server: RunningServer, model: str) -> set[str]:
    loaded = server.http.get("/status").json()["models"]
    return {str(each["pid"]) for each in loaded if each["model"].startswith(f"{model}/")}


def test_calls_of_the_storage_are_timed_and_their_errors_counted(tmp_path: Path) -> None:
    with fake_server(tmp_path, "server.workers=1") as server:
        server.upload("sum", b"sum")
        name = "tfaas_storage_duration_seconds_count"
        until(lambda: count(server, name, operation="commit") == 1)
        for operation in ("claim", "stage", "model"):
            assert count(server, name, operation=operation) >= 1
        assert count(server, "tfaas_storage_errors_total") == 0
        (tmp_path / "models").rename(tmp_path / "away")
        assert server.upload("more", b"sum").status_code in (503, 507)
        until(lambda: count(server, "tfaas_storage_errors_total") > 0)
        (tmp_path / "away").rename(tmp_path / "models")


def test_memory_and_cpu_time_are_told_by_process_and_model(server: RunningServer) -> None:
    assert server.predict(model="sum", values=ROW).status_code == 200
    until(lambda: count(server, "tfaas_model_memory_bytes", model="sum", version="1") > 1e6)
    for kind in ("parent", "http_worker", "fork_server"):
        assert count(server, "tfaas_process_memory_bytes", kind=kind) > 1e6
        assert count(server, "tfaas_process_cpu_seconds_total", kind=kind) > 0
    assert count(server, "tfaas_loaded_versions", state="ready") >= 1
    assert count(server, "tfaas_model_processes", model="sum", version="1") == 1
    assert abs(count(server, "tfaas_start_time_seconds") - time.time()) < 600
    assert count(server, "tfaas_build_info") == 1


def test_names_that_clients_make_up_leave_no_series_and_no_memory(server: RunningServer) -> None:
    def ask(number: int) -> None:
        named = f"made-up-{number}"
        body = {"model": named, "values": ROW}
        assert server.http.post("/json", json=body).status_code == 404
        path = f"/models/{named}/predict/json"
        assert server.http.post(path, json={"values": ROW}).status_code == 404
        server.http.get(f"/{named}", headers={"X-Request-Id": named})

    ask(0)
    series = len(samples(server))
    before = sum(worker.memory_info().rss for worker in server.workers())
    with ThreadPoolExecutor(8) as clients:
        list(clients.map(ask, range(3_400)))
    assert len(samples(server)) <= series + 10
    assert "made-up" not in server.http.get("/metrics").text
    assert sum(worker.memory_info().rss for worker in server.workers()) < before + 30e6


def test_a_hundred_scrapes_at_once_hold_up_no_prediction(server: RunningServer) -> None:
    with Clients(server, "sum sum") as clients, ThreadPoolExecutor(100) as scrapers:
        clients.wait_for(10)
        scrapes = [
            scrapers.submit(httpx.get, f"{server.url}/metrics", timeout=60) for _ in range(100)
        ]
        assert {scrape.result().status_code for scrape in scrapes} == {200}
        clients.wait_for(10)
    assert clients.statuses("sum").keys() == {200}


def test_the_history_tells_of_the_last_seconds(server: RunningServer) -> None:
    assert server.predict(model="sum", values=ROW).status_code == 200
    assert server.predict(model="sum", values=[1]).status_code == 422

    def told() -> bool:
        history = server.http.get("/status/history").json()
        return bool(history["time_s"]) and sum(history["errors_per_s"].get("422", [0])) > 0

    until(told)
    history = server.http.get("/status/history").json()
    length = len(history["time_s"])
    assert history["time_s"] == sorted(history["time_s"])
    assert max(history["requests_per_s"]) > 0
    assert any(value is not None and value > 0 for value in history["latency_s"]["p99"])
    assert {"parent", "http_worker"} <= history["memory_bytes"].keys()
    assert {len(each) for each in history["memory_bytes"].values()} == {length}


def test_status_has_the_figures_of_each_model(server: RunningServer) -> None:
    for _ in range(5):
        assert server.predict(model="sum", values=ROW).status_code == 200
    assert server.predict(model="sum", values=[1]).status_code == 422
    figures = server.http.get("/status").json()["figures"]["sum"]
    assert figures["requests"] >= 6
    assert figures["errors"] >= 1
    assert 0 < figures["p50_s"] <= figures["p99_s"]
    assert figures["requests_per_s"] > 0


def test_open_metrics_are_told_to_whoever_accepts_them(server: RunningServer) -> None:
    named = {"X-Request-Id": "of-a-client"}
    body = {"model": "sum", "values": ROW}
    assert server.http.post("/json", json=body, headers=named).status_code == 200
    accept = {"Accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"}
    said = server.http.get("/metrics", headers=accept)
    assert said.headers["content-type"].startswith("application/openmetrics-text")
    assert '# {request_id="of-a-client"} ' in said.text
    assert said.text.endswith("\n# EOF\n")


def test_tensorflow_serving_names_them_otherwise(tmp_path: Path) -> None:
    settings = ("server.workers=1", "plugins.metrics.tensorflow_serving=true")
    with fake_server(tmp_path, *settings, "plugins.metrics.exemplars=true") as server:
        server.upload("sum", b"sum")
        for values in (ROW, ROW, [1]):
            assert server.predict(model="sum", values=values).headers["X-Request-Id"]
        server.predict(model="nobody", values=ROW)
        said = server.http.get("/monitoring/prometheus/metrics").text
    name = ":tensorflow:serving:request"
    assert f'{name}_count{{model_name="sum",status="OK"}} 2\n' in said
    assert f'{name}_count{{model_name="sum",status="INVALID_ARGUMENT"}} 1\n' in said
    assert f'{name}_latency_bucket{{model_name="sum",le="30000000"}} 3\n' in said
    assert ':tensorflow:serving:runtime_latency_count{model_name="sum"} 2\n' in said
    assert 'model_name=""' not in said


@needs_promtool
def test_promtool_finds_nothing_to_say_about_what_is_told(server: RunningServer) -> None:
    said = server.http.get("/metrics").content
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=said, capture_output=True, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


@pytest.mark.parametrize("disabled", [(), ("tfaas_plugins.metrics",)])
def test_a_server_without_them_has_neither_routes_nor_figures(
    disabled: tuple[str, ...], tmp_path: Path
) -> None:
    settings = () if disabled else ("plugins.metrics.enabled=false",)
    with fake_server(tmp_path, *settings, "server.workers=1", disabled=disabled) as server:
        assert server.http.get("/metrics").status_code == 404
        assert server.http.get("/status/history").status_code == 404
        assert "figures" not in server.http.get("/status").json()


def test_they_take_the_right_to_read_and_show_no_models_that_a_token_is_not_good_for(
    tmp_path: Path,
) -> None:
    tokens = (
        '{reader = {env = "READER", rights = ["read"], models = ["a-*"]}, '
        'asker = {env = "ASKER", rights = ["predict"]}, all = {env = "ALL"}}'
    )
    env = {name: f"{name.lower()}-of-a-test-and-nobody-else" for name in ("READER", "ASKER", "ALL")}
    settings = ("server.workers=1", f"plugins.token_guard.tokens={tokens}")
    with fake_server(tmp_path, *settings, env=env) as server:

        def by(name: str) -> dict[str, str]:
            return {"Authorization": f"Bearer {env[name]}"}

        for path in ("/metrics", "/status/history"):
            assert server.http.get(path).status_code == 401
            assert server.http.get(path, headers=by("ASKER")).status_code == 403
            assert server.http.get(path, headers=by("READER")).status_code == 200
        server.http.headers.update(by("ALL"))
        server.upload("a-model", b"sum")
        server.upload("b-model", b"sum")
        for model in ("a-model", "b-model"):
            assert server.predict(model=model, values=ROW).status_code == 200
        until(lambda: "b-model" in server.http.get("/status/history").text)
        until(lambda: count(server, "tfaas_model_memory_bytes", model="b-model") > 0)
        metrics = server.http.get("/metrics", headers=by("READER")).text
        assert 'tfaas_model_memory_bytes{model="a-model"' in metrics
        assert 'tfaas_predictions_total{model="a-model"' in metrics
        assert "b-model" not in metrics
        seen = server.http.get("/status", headers=by("READER")).json()["figures"]
        assert seen.keys() == {"a-model"}
        history = server.http.get("/status/history", headers=by("READER"))
        assert "b-model" not in history.text
        assert history.json()["memory_bytes"]["other models"]
