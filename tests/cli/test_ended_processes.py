"""Commands that somebody else ends: a plugin, or Ctrl-C at an early moment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.plugin_site import environment_with, write_plugin
from tfaas_core.plugins.calls import call
from tfaas_core.plugins.plugin import Plugin

HOOK = """
import os
from contextlib import asynccontextmanager
from tfaas_core.hookspecs import hookimpl
from tfaas_core.testing.fakes import FakeStorage

class Leaving(FakeStorage):
    def open(self):
        os._exit(0)
"""
IN_A_HOOK = f"""{HOOK}
@hookimpl
def tfaas_register_routes():
    os._exit(0)
"""
IN_ITS_LIFESPAN = f"""{HOOK}
@hookimpl
@asynccontextmanager
async def tfaas_lifespan():
    os._exit(0)
    yield
"""
IN_ITS_STORAGE = f"""{HOOK}
@hookimpl
def tfaas_register_storages():
    return {{"leaving": lambda table, base: Leaving(base)}}
"""
FORKS = """
import os
child = os.fork()
if child == 0:
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
raise ValueError("went on")
"""
INTERRUPTED = """
import os, signal, sys
from importlib.abc import MetaPathFinder

class CtrlC(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "click":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, CtrlC())
from tfaas_core.cli import main
sys.exit(main(["check"]))
"""


@pytest.mark.parametrize(
    ("source", "command", "says"),
    [
        ("import os; os._exit(0)", "check", "cannot be imported: it ended the process; fix it"),
        ("from os import _exit; _exit(0)", "plugins", "cannot be imported: it ended the process"),
        (IN_A_HOOK, "check", "failed in tfaas_register_routes: it ended the process; fix it"),
        (IN_A_HOOK, "serve", "failed in tfaas_register_routes: it ended the process; fix it"),
        (IN_ITS_LIFESPAN, "serve", "failed in entering tfaas_lifespan: it ended the process; fix"),
        (IN_ITS_STORAGE, "serve", "failed in opening the storage `leaving`: it ended the process"),
    ],
)
def test_a_plugin_that_ends_the_process_is_named(
    tmp_path: Path, source: str, command: str, says: str
) -> None:
    write_plugin(tmp_path / "site", "tfaas-leaving", source)
    settings = ["--set", "server.port=0", "--set", "server.workers=1"]
    if source == IN_ITS_STORAGE:
        settings += ["--set", "storage.kind=leaving"]
    run = subprocess.run(
        [sys.executable, "-m", "tfaas_core", command, *(settings if command == "serve" else [])],
        cwd=tmp_path,
        env=os.environ | environment_with(tmp_path / "site"),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert run.returncode == 1
    assert "plugin tfaas_leaving" in run.stderr
    assert says in run.stderr


def test_of_a_plugin_that_crashes_the_process_the_line_is_told(tmp_path: Path) -> None:
    write_plugin(tmp_path / "site", "tfaas-crashing", "import os\nos.abort()")
    run = subprocess.run(
        [sys.executable, "-m", "tfaas_core", "check"],
        cwd=tmp_path,
        env=os.environ | environment_with(tmp_path / "site"),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert run.returncode == -signal.SIGABRT
    assert 'tfaas_crashing.py", line 2 in <module>' in run.stderr


def test_what_a_plugin_forks_ends_as_it_likes(tmp_path: Path) -> None:
    write_plugin(tmp_path / "site", "tfaas-forking", FORKS)
    run = subprocess.run(
        [sys.executable, "-m", "tfaas_core", "plugins"],
        cwd=tmp_path,
        env=os.environ | environment_with(tmp_path / "site"),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "went on" in run.stdout + run.stderr
    assert "ended the process" not in run.stdout + run.stderr


def test_ctrl_c_is_silent_while_the_command_is_still_imported() -> None:
    run = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], capture_output=True, check=False, timeout=60
    )
    assert (run.returncode, run.stdout, run.stderr) == (130, b"", b"")


def test_ctrl_c_beside_a_plugin_is_not_blamed_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def interrupted() -> Iterator[None]:
        yield
        raise KeyboardInterrupt

    monkeypatch.setattr("tfaas_core.plugins.calls.stdout_is_stderr", interrupted)
    with pytest.raises(KeyboardInterrupt):
        call(Plugin("tfaas_slow", "tfaas-slow", "1.0"), "a_hook", lambda: None)
