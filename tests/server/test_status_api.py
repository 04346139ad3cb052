"""/status: processes, and what is loaded."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.plugin_site import environment_with, write_plugin
from tfaas_core.testing.forked import children_named
from tfaas_core.testing.server import RunningServer, running_server
from tfaas_core.testing.waiting import until

RUNTIMES = ["tfaas_backends.runtimes.graph", "tfaas_backends.runtimes.saved_model"]
CANNOT_PRELOAD = """
from tfaas_core.hookspecs import hookimpl
from tfaas_core.testing.runtime import FakeRuntime

class Heavy(FakeRuntime):
    preload = ("tfaas_missing_library",)

@hookimpl
def tfaas_register_runtimes():
    return {"heavy": Heavy(), "light": FakeRuntime()}
"""
SILENT_SUPERVISOR = """
import sys
from tfaas_core.engine.local import LocalEngineFactory
from tfaas_core.hookspecs import hookimpl

class Silent(LocalEngineFactory):
    def supervisor(self, context):
        supervisor = super().supervisor(context)
        supervisor.processes = PROCESSES
        return supervisor

@hookimpl
def tfaas_register_engines():
    return {"silent": Silent()}
"""


def test_status_tells_the_processes_and_what_is_loaded(server: RunningServer, doubler: str) -> None:
    assert server.predict(model=doubler, values=[1, 2, 3]).status_code == 200
    status = server.http.get("/status").json()
    keys = ["version", "uptime_s", "processes", "unavailable", "sandbox", "worker_sandbox"]
    assert list(status) == [*keys, "models", "last_minute", "figures"]
    assert {"privileges", "files", "calls", "programs"} <= status["worker_sandbox"].keys()
    assert {"privileges", "limits", "files", "calls"} <= status["sandbox"].keys()
    assert status["unavailable"] == {}
    assert 0 < status["uptime_s"] < 3600
    kinds = {process["pid"]: process["kind"] for process in status["processes"]}
    expected = {server.process.pid: "parent", server.fork_server().pid: "fork_server"}
    expected |= {worker.pid: "http_worker" for worker in server.workers()}
    expected |= {p.pid: "worker_server" for p in children_named("tfaas-workers", server.parent)}
    expected |= {p.pid: "decoder_server" for p in children_named("tfaas-decoders", server.parent)}
    assert kinds == expected
    (model,) = [model for model in status["models"] if model["model"].startswith("doubler/")]
    assert (model["state"], model["rows_in_flight"]) == ("ready", 0)
    assert model["pid"] in {process.pid for process in server.model_processes()}
    assert model["idle_s"] < status["uptime_s"]
    for process in (*status["processes"], model):
        os.kill(process["pid"], 0)
        assert process["private_bytes"] > 1_000_000


def test_a_runtime_that_cannot_be_started_is_told_with_its_plugin(tmp_path: Path) -> None:
    write_plugin(tmp_path / "site", "tfaas-heavy", CANNOT_PRELOAD)
    settings = ("server.workers=1", f"plugins.disabled={json.dumps(RUNTIMES)}")
    env = environment_with(tmp_path / "site")
    with running_server(tmp_path, *settings, env=env) as server:
        until(lambda: server.http.get("/status").json()["unavailable"] != {})
        assert server.http.get("/status").json()["unavailable"] == {
            "heavy": "the runtime 'heavy' of plugin tfaas_heavy cannot be started: importing "
            "'tfaas_missing_library' raises ModuleNotFoundError: No module named "
            "'tfaas_missing_library'"
        }


@pytest.mark.parametrize("processes", ["sys.exit", "lambda: {'one': 1}"])
def test_a_supervisor_that_fails_leaves_the_rest_of_the_status(
    tmp_path: Path, processes: str
) -> None:
    source = SILENT_SUPERVISOR.replace("PROCESSES", processes)
    write_plugin(tmp_path / "site", "tfaas-silent", source)
    settings = (
        "server.workers=1",
        "engine.kind=silent",
        f"plugins.disabled={json.dumps(RUNTIMES)}",
    )
    env = environment_with(tmp_path / "site")
    with running_server(tmp_path, *settings, env=env) as server:
        status = server.http.get("/status").json()
        kinds = [process["kind"] for process in status["processes"]]
        assert kinds == ["parent", "http_worker", "worker_server"]
        failed = "plugin tfaas_silent failed in processes of the supervisor of the engine"
        assert failed in server.log.read_text()
