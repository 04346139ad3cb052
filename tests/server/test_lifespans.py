"""What plugins do beside serving, in a real server: until its last request is answered."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

import httpx
import psutil
import pytest

from tests.plugin_site import environment_with
from tfaas_core.plugins.lifespan import LEAVE_LIMIT_S
from tfaas_core.processes.in_worker.last_tasks import LAST_S
from tfaas_core.testing.forked import is_alive
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
    return partial(put, site)


def put(site: Path, name: str, source: str, entry: str) -> None:
    """Puts a plugin, whose entry point is ``entry``, into ``site``."""
    info = site / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (site / f"{name}.py").write_text(source)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[tfaas]\n{name} = {entry}\n")


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


HOLDS = {
    "tasks that heed no cancellation": (
        """
        async def stay():
            while True:
                with suppress(asyncio.CancelledError):
                    await asyncio.sleep(60)
        self.task = asyncio.create_task(stay(), name="stays")
        await stay()
        """,
        [
            "the task `stays` of plugin a_notes:notes (",
            "the task `tfaas_lifespan of a_notes:notes (a_notes 1.0)`",
        ],
    ),
    "a thread": (
        """
        self.job = asyncio.get_running_loop().run_in_executor(None, lambda: time.sleep(600))
        """,
        ["plugin a_notes:notes, in Notes.tfaas_lifespan.<locals>.<lambda> ("],
    ),
    "the event loop": (
        """
        async def block():
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                time.sleep(600)
        self.task = asyncio.create_task(block())
        await asyncio.sleep(0)
        """,
        ["plugin a_notes:notes, in Notes.tfaas_lifespan.<locals>.block ("],
    ),
}


class Ended(NamedTuple):
    """How a server ended: what it logged, how long that took, and which processes it left."""

    log: str
    took_s: float
    outlived_by: list[psutil.Process]


@pytest.fixture(scope="module")
def ends(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ended]:
    """That of each of HOLDS: each waits for what holds it, so they do so side by side."""
    folders = [tmp_path_factory.mktemp("holds") for _ in HOLDS]
    with ThreadPoolExecutor(len(HOLDS)) as pool:
        return dict(zip(HOLDS, pool.map(end_of, HOLDS, folders), strict=True))


def end_of(what: str, folder: Path) -> Ended:
    body = textwrap.indent(textwrap.dedent(HOLDS[what][0]), " " * 8)
    source = PLUGIN.replace('        exec(os.environ.get("LEAVE", ""))\n', body)
    source = f"import time\nfrom contextlib import suppress\n{source}"
    put(folder / "site", "a_notes", source, "a_notes:notes")
    env = environment_with(folder / "site") | {"NOTES": str(folder)}
    with running_server(folder, "server.workers=1", DISABLED, env=env) as server:
        family = server.parent.children(recursive=True)
        begin_s = time.monotonic()
        assert server.stop() == 0
        took_s = time.monotonic() - begin_s
        with suppress(AssertionError):
            until(lambda: not any(map(is_alive, family)), 10)
        left = [*filter(is_alive, family)]
    return Ended(server.log.read_text(), took_s, left)


@pytest.mark.parametrize("what", HOLDS)
def test_what_a_plugin_leaves_behind_is_named_and_does_not_hold_the_end(
    ends: dict[str, Ended], what: str
) -> None:
    told = HOLDS[what][1]
    log, took_s, outlived_by = ends[what]
    assert outlived_by == []
    ended = "this HTTP worker ends without it"
    assert log.count(ended) == len(told), log
    assert [words for words in told if words not in log] == [], log
    assert "killed" not in log
    # It would have been killed after server.request_timeout_s, and more.
    assert took_s < LEAVE_LIMIT_S + LAST_S + 10
