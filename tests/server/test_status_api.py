"""/status: processes, and what is loaded."""

from __future__ import annotations

import os

from tfaas_core.testing.server import RunningServer


def test_status_tells_the_processes_and_what_is_loaded(server: RunningServer, doubler: str) -> None:
    assert server.predict(model=doubler, values=[1, 2, 3]).status_code == 200
    status = server.http.get("/status").json()
    assert list(status) == ["version", "uptime_s", "processes", "models"]
    assert 0 < status["uptime_s"] < 3600
    kinds = {process["pid"]: process["kind"] for process in status["processes"]}
    expected = {server.process.pid: "parent", server.fork_server().pid: "fork_server"}
    expected |= {worker.pid: "http_worker" for worker in server.workers()}
    assert kinds == expected
    (model,) = [model for model in status["models"] if model["model"].startswith("doubler/")]
    assert (model["state"], model["rows_in_flight"]) == ("ready", 0)
    assert model["pid"] in {process.pid for process in server.model_processes()}
    assert model["idle_s"] < status["uptime_s"]
    for process in (*status["processes"], model):
        os.kill(process["pid"], 0)
        assert process["private_bytes"] > 1_000_000
