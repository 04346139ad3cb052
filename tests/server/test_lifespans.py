"""What plugins do beside serving, in a real server: until its last request is answered."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tfaas_core.testing.server import running_server
from tfaas_core.testing.waiting import until

DISABLED = (
    'plugins.disabled=["tfaas_backends.runtimes.graph", "tfaas_backends.runtimes.saved_model"]'
)
PLUGIN = """
import asyncio, os, pathlib
from contextlib import asynccontextmanager
from tfaas_core.hookspecs import hookimpl
from tfaas_core.route import Response, Route

FOLDER = pathlib.Path(os.environ["NOTES"])

class Notes:
    @hookimpl
    @asynccontextmanager
    async def tfaas_lifespan(self, host):
        assert host.catalog.list() == []
        with (FOLDER / "notes").open("a") as self.file:
            self.note("entered")
            yield
            self.note("left")
            exec(os.environ.get("LEAVE", ""))

    def note(self, line):
        print(line, file=self.file, flush=True)

    async def answer(self, request):
        self.note("asked")
        while not (FOLDER / "go").exists():
            await asyncio.sleep(0.01)
        self.note("answered")
        return Response(b"noted")

    @hookimpl
    def tfaas_register_routes(self):
        return [Route("/note", ("POST",), self.answer)]

notes = Notes()
"""
BROKEN = """
from contextlib import asynccontextmanager
from tfaas_core.hookspecs import hookimpl

@hookimpl
@asynccontextmanager
async def tfaas_lifespan(host):
    raise OSError("no socket")
    yield
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str, str], None]:
    """Installs a plugin, for processes of their own."""
    site = tmp_path / "site"
    paths = [str(site), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    monkeypatch.setenv("NOTES", str(tmp_path))

    def make(name: str, source: str, entry: str) -> None:
        info = site / f"{name}-1.0.dist-info"
        info.mkdir(parents=True)
        (site / f"{name}.py").write_text(source)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[tfaas]\n{name} = {entry}\n")

    return make


def test_what_a_plugin_has_opened_is_there_until_the_last_answer(
    install: Callable[..., None], tmp_path: Path
) -> None:
    install("a_notes", PLUGIN, "a_notes:notes")
    notes = tmp_path / "notes"
    answers = []
    with running_server(tmp_path, "server.workers=1", DISABLED) as server:
        assert notes.read_text() == "entered\n"
        client = threading.Thread(target=lambda: answers.append(server.http.post("/note").text))
        client.start()
        until(lambda: "asked" in notes.read_text())
        server.parent.terminate()
        until(lambda: not listens(server.url))
        (tmp_path / "go").touch()
        client.join()
        assert server.process.wait(60) == 0
    assert answers == ["noted"]
    assert notes.read_text().split() == ["entered", "asked", "answered", "left"]


def listens(url: str) -> bool:
    try:
        httpx.get(f"{url}/status", timeout=1, verify=False)
    except httpx.TransportError:
        return False
    return True


def test_one_that_fails_to_leave_is_logged_and_the_server_ends_well(
    install: Callable[..., None], tmp_path: Path
) -> None:
    install("a_notes", PLUGIN, "a_notes:notes")
    env = {"LEAVE": "raise OSError('no disk')"}
    with running_server(tmp_path, "server.workers=2", DISABLED, env=env) as server:
        assert server.stop() == 0
    assert (tmp_path / "notes").read_text().split() == ["entered"] * 2 + ["left"] * 2
    log = server.log.read_text()
    expected = "plugin a_notes:notes (a_notes 1.0) failed in leaving tfaas_lifespan: OSError"
    assert log.count(expected) == 2


def test_one_that_fails_to_enter_ends_the_start_and_those_before_it_are_left(
    install: Callable[..., None], tmp_path: Path
) -> None:
    install("a_notes", PLUGIN, "a_notes:notes")
    install("b_broken", BROKEN, "b_broken")
    settings = ["server.port=0", "server.workers=1", f"storage.root={tmp_path / 'models'}"]
    options = [word for setting in (*settings, DISABLED) for word in ("--set", setting)]
    run = subprocess.run(
        [sys.executable, "-m", "tfaas_core", "serve", *options],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.splitlines()[-1] == (
        "tfaas: plugin b_broken (b_broken 1.0) failed in entering tfaas_lifespan: OSError: no "
        "socket; fix it, or list it in [plugins] disabled"
    )
    assert (tmp_path / "notes").read_text().split() == ["entered", "left"]
