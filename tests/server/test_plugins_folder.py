"""Plugins that are files in a folder, in every process of a server."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tfaas_core.testing.hosts import HEAVY_PLUGINS
from tfaas_core.testing.server import ANSWER_TIMEOUT_S, running_server
from tfaas_core.tools.distribution import write_distribution

WITHOUT_TENSORFLOW = f"plugins.disabled={list(HEAVY_PLUGINS)}"

TELLING = """
import logging
from contextlib import asynccontextmanager
from tfaas_core.hookspecs import hookimpl
from tfaas_core.testing.runtime import FakeRuntime

log = logging.getLogger(__name__)

class Telling(FakeRuntime):
    def load(self, artifact, params, options):
        log.info("loads a model")
        log.debug("says too much")
        return super().load(artifact, params, options)

@hookimpl
def tfaas_register_runtimes():
    return {"telling": Telling()}

@hookimpl
@asynccontextmanager
async def tfaas_lifespan():
    log.info("is entered")
    yield
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A codec, a runtime and routes, as files."""
    folder = tmp_path / "plugins.d"
    folder.mkdir()
    for kind in ("codec", "runtime", "routes"):
        written = write_distribution(kind, f"one-{kind}", tmp_path / kind)
        shutil.copy(written / f"tfaas_one_{kind}.py", folder / f"one_{kind}.py")
    return folder


@pytest.mark.parametrize("isolation", ["model", "inline"])
def test_every_process_has_them(folder: Path, tmp_path: Path, isolation: str) -> None:
    settings = ("server.workers=2", WITHOUT_TENSORFLOW, f"engine.isolation={isolation}")
    arguments = ("--plugins-dir", str(folder))
    with running_server(tmp_path, *settings, arguments=arguments) as server:
        assert server.upload("half", b"one-runtime 1\n0.5 0.25\n").status_code == 200
        answer = server.http.post("/models/half/predict/one-codec", content=b"2 4\n")
        assert (answer.status_code, answer.text) == (200, "2.0\n")
        assert server.http.get("/one-routes").json() == {"models": ["half"]}
        for process in server.workers():
            process.kill()
            process.wait()
        # Those that take their place have them, too.
        answer = httpx.get(f"{server.url}/one-routes", timeout=ANSWER_TIMEOUT_S)
        assert answer.json() == {"models": ["half"]}


def test_a_broken_one_ends_the_start_and_is_named(folder: Path) -> None:
    (folder / "worse.py").write_text("import nothing_of_this_name")
    for command in ("serve", "check", "routes"):
        done = subprocess.run(
            [sys.executable, "-m", "tfaas_core", command, "--plugins-dir", folder.name],
            cwd=folder.parent,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1] == (
            f"tfaas: plugin worse ({folder / 'worse.py'}) cannot be imported: "
            "ModuleNotFoundError: No module named 'nothing_of_this_name'; "
            "fix it, or list it in [plugins] disabled"
        )


def test_what_they_log_is_logged_in_each_process(tmp_path: Path) -> None:
    folder = tmp_path / "plugins.d"
    folder.mkdir()
    (folder / "telling.py").write_text(TELLING)
    arguments = ("--plugins-dir", str(folder))
    with running_server(tmp_path, WITHOUT_TENSORFLOW, arguments=arguments) as server:
        assert server.upload("vk", b"sum").status_code == 200
        lines = server.log.read_text().splitlines()
        told = {line.partition("]: ")[2] for line in lines if " INFO telling[" in line}
        assert told == {"is entered", "loads a model"}


def test_a_thread_that_one_leaves_holds_up_no_end(tmp_path: Path) -> None:
    folder = tmp_path / "plugins.d"
    folder.mkdir()
    (folder / "busy.py").write_text(
        "import threading\n"
        "from tfaas_core.hookspecs import hookimpl\n"
        "def work(): threading.Event().wait()\n"
        "threading.Thread(target=work, name='worker bee').start()\n"
        "@hookimpl\n"
        "def tfaas_register_codecs(): return []\n"
    )
    arguments = ("--plugins-dir", str(folder))
    done = subprocess.run(
        [sys.executable, "-m", "tfaas_core", "check", "--set", WITHOUT_TENSORFLOW, *arguments],
        capture_output=True,
        text=True,
        timeout=ANSWER_TIMEOUT_S,
    )
    told = (
        "tfaas: warning: the thread 'worker bee', which is in work "
        f"({folder / 'busy.py'}:3), was not waited for; let a plugin end its threads\n"
    )
    assert (done.returncode, done.stderr) == (0, told)
    settings = "server.workers=1", WITHOUT_TENSORFLOW
    with running_server(tmp_path, *settings, arguments=arguments) as server:
        assert server.stop() == 0
        assert told in server.log.read_text()
