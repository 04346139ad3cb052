"""A start that cannot succeed ends, with one sentence; a server that has served goes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tfaas_core.testing.forked import kill_and_wait
from tfaas_core.testing.server import running_server
from tfaas_core.testing.waiting import until

DISABLED = (
    'plugins.disabled=["tfaas_backends.runtimes.graph", "tfaas_backends.runtimes.saved_model"]'
)
BREAKING = ("storage.kind=breaking", "engine.kind=breaking", DISABLED)
FAILED = "cannot start: plugin breaking failed in"
NAMED = f"{FAILED} opening the storage `breaking`"
STORAGE = """
import asyncio, multiprocessing, os, pathlib, sys
from tfaas_core.hookspecs import hookimpl
from tfaas_core.engine.in_parent.fork_servers.fork_servers import ForkServers
from tfaas_core.engine.in_parent.pool import Pool
from tfaas_core.engine.in_worker.local_engine import LocalEngine
from tfaas_core.engine.local import LocalEngineFactory, pool_settings
from tfaas_core.errors import StorageUnavailable
from tfaas_core.testing.fakes import FakeStorage

BROKEN = pathlib.Path(os.environ["BROKEN"])

def take(step):
    place = "worker" if multiprocessing.parent_process() else "parent"
    source = BROKEN.read_text() if BROKEN.exists() else ""
    if source.startswith(f"{place} {step} "):
        exec(source.split(" ", 2)[2])

class BreakingStorage(FakeStorage):
    def open(self):
        super().open()
        take("open")

    def sweep(self):
        take("sweep")

    def list(self):
        take("list")
        return super().list()

    def default(self):
        take("default")

    def revision(self):
        take("revision")
        return super().revision()

    def close(self):
        take("close")

class BreakingEngine(LocalEngine):
    async def start(self):
        await super().start()
        take("start")

class BreakingSupervisor(Pool):
    async def start(self):
        await super().start()
        take("start")
        self.work = asyncio.create_task(self.go_on())

    async def go_on(self):
        while True:
            take("work")
            await asyncio.sleep(0.05)

    async def close(self):
        await super().close()
        take("close_supervisor")

class BreakingEngines(LocalEngineFactory):
    def supervisor(self, context):
        return BreakingSupervisor(pool_settings(context), ForkServers(context))

    def engine(self, context):
        return BreakingEngine(context)

@hookimpl
def tfaas_register_engines():
    return {"breaking": BreakingEngines()}

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
        ("worker open raise OSError('no share')", f"an HTTP worker {NAMED}: OSError: no share"),
        ("worker open raise MemoryError", f"an HTTP worker {NAMED}: MemoryError"),
        ("worker open sys.exit(3)", f"an HTTP worker {NAMED}: SystemExit: 3"),
        ("worker open os._exit(3)", "HTTP worker 0 ended with exit code 3 before it served"),
        ("worker open os.abort()", "HTTP worker 0 was killed by SIGABRT before it served"),
        ("parent open raise OSError('no share')", f"the server {NAMED}: OSError: no share"),
        ("parent open sys.exit(0)", f"the server {NAMED}: SystemExit: 0"),
        (
            "parent open raise StorageUnavailable('away')",
            "the server cannot start: opening the storage `breaking` failed: away",
        ),
        (
            "parent sweep raise KeyError('x')",
            f"the server {FAILED} sweeping the storage `breaking`: KeyError: 'x'",
        ),
        (
            "worker list raise KeyError('x')",
            f"an HTTP worker {FAILED} reading the storage `breaking`: KeyError: 'x'",
        ),
        (
            "worker default raise ValueError('two\\nlines')",
            f"an HTTP worker {FAILED} reading the storage `breaking`: ValueError: two lines",
        ),
        (
            "worker start raise KeyError('x')",
            f"an HTTP worker {FAILED} starting the engine `breaking`: KeyError: 'x'",
        ),
        (
            "parent start raise KeyError('x')",
            f"the server {FAILED} starting the supervisor of the engine `breaking`: KeyError: 'x'",
        ),
    ],
)
def test_a_start_that_fails_is_one_sentence(broken: Path, source: str, sentence: str) -> None:
    broken.write_text(source)
    settings = ["server.port=0", "server.workers=1", *BREAKING]
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
    with running_server(tmp_path, "server.workers=2", *BREAKING) as server:
        broken.write_text("worker open raise OSError('no share')")
        killed = server.workers()[0]
        kill_and_wait(killed)
        until(lambda: server.log.read_text().count(f"{NAMED}: OSError: no share") >= 2)
        assert server.http.get("/models").status_code == 200
        broken.unlink()
        until(lambda: len(server.workers()) == 2 and killed not in server.workers())
        assert server.stop() == 0
    log = server.log.read_text()
    assert log.count("HTTP worker 0 died: it was killed by SIGKILL") == 1, log


@pytest.mark.parametrize(
    ("source", "part"),
    [
        ("worker close raise KeyError('x')", "storage `breaking`"),
        ("worker close sys.exit('x')", "storage `breaking`"),
        ("parent close raise KeyError('x')", "storage `breaking`"),
        ("parent close_supervisor sys.exit('x')", "supervisor of the engine `breaking`"),
    ],
)
def test_a_part_that_fails_to_close_is_one_record_and_the_server_ends_well(
    broken: Path, tmp_path: Path, source: str, part: str
) -> None:
    settings = ("server.workers=1", "server.log_format=json", *BREAKING)
    with running_server(tmp_path, *settings) as server:
        broken.write_text(source)
        assert server.stop() == 0
    (line,) = server.log.read_text().splitlines()
    record = json.loads(line)
    assert record["message"].startswith(f"plugin breaking failed in closing the {part}: ")
    assert "in take" in record["exception"]


def test_a_server_that_has_served_does_not_say_that_it_cannot_start(
    broken: Path, tmp_path: Path
) -> None:
    with running_server(tmp_path, "server.workers=1", *BREAKING) as server:
        broken.write_text("parent work sys.exit(4)")
        assert server.process.wait(60) == 1
    log = server.log.read_text()
    assert "\ntfaas: the server cannot go on: plugin breaking failed: SystemExit: 4 (" in log
    assert "cannot start" not in log


def test_a_storage_that_cannot_tell_of_changes_is_one_record_that_names_it(
    broken: Path, tmp_path: Path
) -> None:
    settings = ("server.workers=1", "server.log_format=json", *BREAKING)
    with running_server(tmp_path, *settings) as server:
        broken.write_text("parent revision {}['rev']")
        until(lambda: "storage unreadable" in server.log.read_text())
        broken.unlink()
        until(lambda: "is back" in server.log.read_text())
        assert server.stop() == 0
    record = json.loads(server.log.read_text().splitlines()[0])
    assert record["message"].endswith(
        "plugin breaking failed in looking for changes in the storage `breaking`: KeyError: 'rev'"
    )
    assert "in take" in record["exception"]
