"""As in a container: uid 10001, no capabilities, no new privileges, and a read-only root."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.parts import CI, SANDBOXED, python_below
from tfaas_core.testing.clients import fake_server
from tfaas_core.testing.hosts import HEAVY_PLUGINS
from tfaas_core.testing.server import STOP_TIMEOUT_S, RunningServer


def confined(*writable: Path) -> list[str]:
    """The beginning of a command: whoever it starts can write into these folders alone."""
    binds = [word for folder in writable for word in ("--bind", str(folder), str(folder))]
    root = ["--ro-bind", "/", "/", "--dev-bind", "/proc", "/proc", "--dev", "/dev", *binds]
    user = ["--unshare-user", "--uid", "10001", "--gid", "10001", "--cap-drop", "ALL"]
    return ["bwrap", *root, *user, "--unshare-ipc", "--die-with-parent", "--chdir", "/"]


def _may_confine() -> bool:
    try:
        tried = subprocess.run([*confined(), "true"], capture_output=True, check=False)
    except FileNotFoundError:
        return False
    return tried.returncode == 0


pytestmark = pytest.mark.skipif(
    not CI and not _may_confine(),
    reason="apt-get install bubblewrap, where users may make namespaces",
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("confined")
    temporary = folder / "tmp"
    temporary.mkdir()
    python = python_below(folder / "python", confined(folder))
    with fake_server(folder, *SANDBOXED, env={"TMPDIR": str(temporary)}, python=python) as server:
        yield server


def test_it_takes_a_model_and_predicts(server: RunningServer) -> None:
    assert server.upload("sum", b"sum").status_code == 200
    assert server.predict(model="sum", values=[1, 2, 3]).json() == [6.0]


def test_all_its_processes_are_confined_all_the_same(server: RunningServer) -> None:
    status = server.http.get("/status").json()
    assert {"privileges", "files", "calls", "limits"} <= set(status["sandbox"])
    assert {"privileges", "files", "calls", "programs"} <= set(status["worker_sandbox"])
    for process in (server.parent, *server.parent.children(recursive=True)):
        told = Path(f"/proc/{process.pid}/status").read_text()
        assert "CapEff:\t0000000000000000" in told
        assert "NoNewPrivs:\t1" in told


def test_it_stops_as_it_is_told(server: RunningServer) -> None:
    (itself,) = server.parent.children()
    itself.terminate()
    assert server.process.wait(STOP_TIMEOUT_S) == 0


@pytest.mark.parametrize("command", ["check", "serve"])
def test_without_a_folder_for_temporary_files_one_sentence_says_what_to_do(
    tmp_path: Path, command: str
) -> None:
    settings = (
        f"plugins.disabled={json.dumps(HEAVY_PLUGINS)}",
        f"storage.root={tmp_path / 'models'}",
    )
    options = [word for setting in settings for word in ("--set", setting)]
    program = [*confined(tmp_path), sys.executable, "-m", "tfaas_core", command, *options]
    told = subprocess.run(program, capture_output=True, text=True, check=False)
    assert told.returncode == 1
    assert re.fullmatch(
        "tfaas: there is no folder for temporary files: .+ TMPDIR\n", told.stderr
    ), told.stderr
