"""A start that cannot succeed ends, with one sentence; a server that has served goes on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tfaas_core.testing.server import running_server
from tfaas_core.testing.waiting import until

DISABLED = (
    'plugins.disabled=["tfaas_backends.runtimes.graph", "tfaas_backends.runtimes.saved_model"]'
)
NAMED = "cannot start: plugin breaking failed"
STORAGE = """
import multiprocessing, os, pathlib, sys
from tfaas_core.hookspecs import hookimpl
from tfaas_core.testing.fakes import FakeStorage

BROKEN = pathlib.Path(os.environ["BROKEN"])

class BreakingStorage(FakeStorage):
    def open(self):
        super().open()
        place = "worker" if multiprocessing.parent_process() else "parent"
        source = BROKEN.read_text() if BROKEN.exists() else ""
        if source.startswith(place):
            exec(source.removeprefix(place).lstrip())

@hookimpl
def tfaas_register_storages():
    return {"breaking": lambda table, base: BreakingStorage(BROKEN.parent / "models")}
"""


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file; it says where the storage breaks, in the worker or the parent, and how."""
    info = tmp_path / "site" / "breaking-1.0.dist-info"
    info.mkdir(parents=True)
    (tmp_path / "site" / "breaking.py").write_text(STORAGE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: breaking\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[tfaas]\nbreaking = breaking\n")
    paths = [str(tmp_path / "site"), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    file = tmp_path / "broken"
    monkeypatch.setenv("BROKEN", str(file))
    return file


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("worker raise OSError('no share')", f"an HTTP worker {NAMED}: OSError: no share"),
        ("worker raise MemoryError", f"an HTTP worker {NAMED}: MemoryError"),
        ("worker sys.exit(3)", f"an HTTP worker {NAMED}: SystemExit: 3"),
        ("worker os._exit(3)", "HTTP worker 0 ended with exit code 3 before it served"),
        ("worker os.abort()", "HTTP worker 0 was killed by SIGABRT before it served"),
        ("parent raise OSError('no share')", f"the server {NAMED}: OSError: no share"),
        ("parent sys.exit(0)", f"the server {NAMED}: SystemExit: 0"),
    ],
)
def test_a_start_that_fails_is_one_sentence(broken: Path, source: str, sentence: str) -> None:
    broken.write_text(source)
    settings = ["server.port=0", "server.workers=1", "storage.kind=breaking", DISABLED]
    options = [word for setting in settings for word in ("--set", setting)]
    run = subprocess.run(
        [sys.executable, "-m", "tfaas_core", "serve", *options],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 1
    last = run.stderr.splitlines()[-1]
    assert last.startswith(f"tfaas: {sentence}"), run.stderr
    assert run.stdout == ""


def test_a_server_that_has_served_tries_again_to_start_a_worker(
    broken: Path, tmp_path: Path
) -> None:
    settings = ("server.workers=2", "storage.kind=breaking", DISABLED)
    with running_server(tmp_path, *settings) as server:
        broken.write_text("worker raise OSError('no share')")
        killed = server.workers()[0]
        killed.kill()
        until(lambda: server.log.read_text().count(f"{NAMED}: OSError: no share") >= 2)
        assert server.http.get("/models").status_code == 200
        broken.unlink()
        until(lambda: len(server.workers()) == 2 and killed not in server.workers())
        assert server.stop() == 0
