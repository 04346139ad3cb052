"""What is forked for a command is as what a new interpreter does for it."""

from __future__ import annotations

import json
import os
import resource
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ZYGOTE
from tests.plugin_site import environment_with, write_plugin
from tests.zygote import COMMAND, Zygote

TELLS = """
import __main__, json, multiprocessing.process, os, resource, signal, sys, threading
from contextlib import suppress

def kinds():
    for number in os.listdir("/proc/self/fd"):
        with suppress(OSError):  # that of the listing is closed by now
            to = os.readlink("/proc/self/fd/" + number)
            if not to.startswith("/proc/"):  # what watches plugins looks there
                yield to.partition(":")[0]

if "TOLD" in os.environ:
    streams = (sys.stdin, sys.stdout, sys.stderr)
    told = {
        "arguments": [sys.argv[1:], sys.orig_argv],
        "path": sys.path,
        "environ": dict(os.environ),
        "folders": [os.getcwd(), multiprocessing.process.ORIGINAL_DIR],
        "streams": [[s.encoding, s.errors, s.line_buffering, s.write_through] for s in streams],
        "kept": [type(s.buffer).__name__ for s in streams],
        "stdin": sys.stdin.read(),
        "descriptors": sorted(kinds()),
        "parent": os.getppid(),
        "session": os.getsid(0) == os.getpid() or os.getsid(0),
        "group": os.getpgid(0) == os.getpid() or os.getpgid(0),
        "signals": [getattr(h, "__qualname__", h) for h in map(signal.getsignal, range(1, 32))],
        "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
        "flags": str(sys.flags),
        "main": [__main__.__name__, __main__.__spec__.name, __main__.__file__],
        "threads": [t.name for t in threading.enumerate() if not t.daemon],
        "warnings": sys.warnoptions,
        "files": resource.getrlimit(resource.RLIMIT_NOFILE),
    }
    with open(os.environ["TOLD"], "w") as file:
        json.dump(told, file)
    eval(os.environ.get("ENDS", "") or "0")
"""


Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def zygote(request: pytest.FixtureRequest) -> Zygote:
    return request.session.stash[ZYGOTE]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs a command whose plugin tells what it was started with, in a file."""
    write_plugin(tmp_path / "site", "tfaas-telling", TELLS)
    environment = environment_with(tmp_path / "site") | {"TOLD": str(tmp_path / "told")}

    def run(env: dict[str, str] | None = None, **how: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, "plugins", "--json"],
            **{"cwd": tmp_path, "input": "said", "capture_output": True, "text": True, **how},
            env=os.environ | environment | (env or {}),
        )

    return run


@pytest.mark.parametrize("new_session", [True, False])
def test_a_fork_is_what_a_new_interpreter_is(
    run: Run, zygote: Zygote, tmp_path: Path, new_session: bool
) -> None:
    told, before = [], zygote.forks
    for zygote.is_wanted in (True, False):
        done = run(env={"SOME": "thing"}, start_new_session=new_session)
        told.append((json.loads((tmp_path / "told").read_text()), done))
    assert zygote.forks == before + 1
    assert vars(told[0][1]) == vars(told[1][1])
    assert told[0][0] == told[1][0]
    assert (told[0][0]["parent"], told[0][0]["stdin"]) == (os.getpid(), "said")


@pytest.mark.parametrize(
    "ends",
    [
        "sys.exit(7)",
        "os._exit(7)",
        "os.abort()",
        *(f"os.kill(os.getpid(), signal.{name})" for name in ("SIGKILL", "SIGTERM", "SIGINT")),
    ],
)
def test_it_ends_like_one(run: Run, zygote: Zygote, ends: str) -> None:
    done, before = [], zygote.forks
    for zygote.is_wanted in (True, False):
        ended = run(env={"ENDS": ends})
        done.append((ended.returncode, ended.stdout))
    assert zygote.forks == before + 1
    assert done[0] == done[1]


def test_what_a_fork_would_do_in_another_way_is_started_anew(
    run: Run, zygote: Zygote, tmp_path: Path
) -> None:
    before = zygote.forks
    assert run(env={"PYTHONUTF8": "1"}).returncode == 0
    assert run(umask=0o77).returncode == 0
    (tmp_path / "click.py").write_text("raise SystemExit(9)")
    assert run().returncode == 9
    assert zygote.forks == before


def test_it_may_open_as_many_files_as_who_starts_it(
    run: Run, zygote: Zygote, tmp_path: Path
) -> None:
    before, (soft, hard) = zygote.forks, resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft - 1, hard))
    try:
        run()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert json.loads((tmp_path / "told").read_text())["files"] == [soft - 1, hard]
    assert zygote.forks == before + 1


@pytest.mark.fresh_python
def test_a_test_may_ask_for_a_new_interpreter(run: Run, zygote: Zygote) -> None:
    before = zygote.forks
    assert run().returncode == 0
    assert zygote.forks == before
