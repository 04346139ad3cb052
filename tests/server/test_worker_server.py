"""HTTP workers are forked from a process that has imported already, and are as new ones are."""

from __future__ import annotations

import os
import re
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.plugin_site import write_plugin
from tfaas_core.testing.clients import fake_server
from tfaas_core.testing.forked import children_named, is_alive, kill_and_wait
from tfaas_core.testing.server import ANSWER_TIMEOUT_S, STOP_TIMEOUT_S, RunningServer
from tfaas_core.testing.waiting import until

PLUGIN = """
import json, multiprocessing, os, random, signal
from tfaas_core.hookspecs import hookimpl
from contextlib import asynccontextmanager
from tfaas_core.listener import Listener
from tfaas_core.request_ids import fresh_id
from tfaas_core.route import Response, Route

IMPORTED_IN = os.getpid()
DRAWN = random.random()
if multiprocessing.parent_process() is None:
    os.environ["MADE_BY_THE_PARENT"] = "yes"
    del os.environ["GIVEN"]

async def about(request):
    told = {
        "pid": os.getpid(),
        "imported_in": IMPORTED_IN,
        "variables": [os.environ.get(name) for name in ("MADE_BY_THE_PARENT", "GIVEN")],
        "random": DRAWN,
        "request id": fresh_id().partition("-")[0],
    }
    return Response(json.dumps(told).encode())

async def end(request):
    os._exit(7)

@asynccontextmanager
async def serve(host, sock):
    yield

@hookimpl
def tfaas_register_listeners(config):
    # More descriptors than most messages between processes have.
    return [Listener(f"no-{number}", "127.0.0.1", 0, serve) for number in range(20)]

@hookimpl
def tfaas_register_routes():
    return [Route("/about", ("GET",), about), Route("/end", ("POST",), end)]
"""
WORKERS = 2


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server whose HTTP workers tests may kill."""
    folder = tmp_path_factory.mktemp("forking")
    write_plugin(folder / "site", "tfaas-about", PLUGIN)
    with fake_server(folder, env={"GIVEN": "given"}) as server:
        yield server


DIES = """
import os, signal

def die():
    with open("/proc/self/comm") as name:
        if name.read() == "tfaas-workers\\n":
            os.kill(os.getpid(), signal.SIGKILL)

os.register_at_fork(after_in_parent=die)
"""
LEAVES_LATE = """
import asyncio, os
from contextlib import asynccontextmanager
from tfaas_core.hookspecs import hookimpl

@hookimpl
@asynccontextmanager
async def tfaas_lifespan(host):
    yield
    while not os.path.exists(os.environ["MAY_LEAVE"]):
        await asyncio.sleep(0.01)
"""


def told_by_all(server: RunningServer) -> dict[int, dict[str, Any]]:
    """What each worker tells of itself, by its pid."""
    found: dict[int, dict[str, Any]] = {}

    def ask() -> bool:
        # A connection of its own.
        with httpx.Client(timeout=ANSWER_TIMEOUT_S) as to:
            told = to.get(f"{server.url}/about").json()
        found[told["pid"]] = told
        return len(found) == WORKERS

    until(ask)
    return found


def worker_server(server: RunningServer) -> psutil.Process:
    (found,) = children_named("tfaas-workers", server.parent)
    return found


def replaced(server: RunningServer, worker: psutil.Process) -> psutil.Process:
    """The one that has taken the place of ``worker``, which is killed, and serves."""
    others = {one.pid for one in server.workers()} - {worker.pid}
    worker.kill()
    until(lambda: not is_alive(worker) and len(server.workers()) == WORKERS)
    (new,) = [one for one in server.workers() if one.pid not in others]
    until(lambda: new.pid in told_by_all(server))
    return new


def test_they_are_forked_from_it(server: RunningServer) -> None:
    assert {one.ppid() for one in server.workers()} == {worker_server(server).pid}
    kinds = {one["pid"]: one["kind"] for one in server.http.get("/status").json()["processes"]}
    assert kinds[worker_server(server).pid] == "worker_server"
    assert "tensorflow" not in Path(f"/proc/{worker_server(server).pid}/maps").read_text()


def test_plugins_are_imported_in_each_of_them(server: RunningServer) -> None:
    assert all(told["imported_in"] == pid for pid, told in told_by_all(server).items())


def test_what_is_random_is_another_in_each_of_them(server: RunningServer) -> None:
    before = told_by_all(server)
    replaced_pid = replaced(server, server.workers()[0]).pid
    told = [*before.values(), told_by_all(server)[replaced_pid]]
    for key in ("request id", "random"):
        assert len({one[key] for one in told}) == WORKERS + 1, key


def test_they_have_the_environment_that_the_parent_has_now(server: RunningServer) -> None:
    assert [told["variables"] for told in told_by_all(server).values()] == [["yes", None]] * WORKERS


@pytest.mark.parametrize(
    ("code", "ending"), [(7, "ended with exit code 7"), (None, "was killed by SIGABRT")]
)
def test_how_one_ended_is_told(server: RunningServer, code: int | None, ending: str) -> None:
    before = server.workers()
    if code is None:
        before[0].send_signal(signal.SIGABRT)
    else:
        with pytest.raises(httpx.TransportError):
            httpx.post(f"{server.url}/end", timeout=ANSWER_TIMEOUT_S)
    until(lambda: f"died: it {ending}" in server.log.read_text())
    until(lambda: len(server.workers()) == WORKERS and set(server.workers()) != set(before))
    told_by_all(server)


def files(worker: psutil.Process) -> Counter[str]:
    """How many descriptors of each kind it has."""
    found: Counter[str] = Counter()
    for file in Path(f"/proc/{worker.pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            found[re.sub(r"\d+", "N", os.readlink(file))] += 1
    return found


def state(worker: psutil.Process) -> dict[str, object]:
    """What the kernel knows of a process beside that."""
    folder = Path(f"/proc/{worker.pid}")
    lines = dict(line.split(":\t", 1) for line in (folder / "status").read_text().splitlines())
    keys = [*("Name", "Umask", "Uid", "Gid", "Groups", "SigBlk", "SigIgn", "SigCgt", "SigPnd")]
    keys += ["CapEff", "CapPrm", "CapBnd", "NoNewPrivs", "Seccomp", "Cpus_allowed"]
    return {
        **{key: lines[key] for key in keys},
        "limits": (folder / "limits").read_text(),
        "niceness": worker.nice(),
        "oom": (folder / "oom_score_adj").read_text(),
        "cwd": worker.cwd(),
        "session": os.getsid(worker.pid),
        "group": os.getpgid(worker.pid),
    }


@pytest.fixture
def left_alone(tmp_path: Path) -> Iterator[RunningServer]:
    """A server without the process that its HTTP workers were forked from."""
    write_plugin(tmp_path / "site", "tfaas-about", PLUGIN)
    with fake_server(tmp_path, env={"GIVEN": "given"}) as server:
        kill_and_wait(worker_server(server))
        until(lambda: "the worker server does not go on" in server.log.read_text())
        yield server


def test_without_it_the_parent_starts_them_and_they_are_the_same(
    left_alone: RunningServer,
) -> None:
    # Neither of them has a connection to a model, or to a client.
    killed, old = left_alone.workers()
    new = replaced(left_alone, killed)
    assert new.ppid() == left_alone.parent.pid
    assert state(new) == state(old)
    # One more, of the pipe that tells its starter of its end.
    until(lambda: files(new) >= files(old), what="it has no file that the other has not")


def test_how_one_ended_that_it_has_forked_nobody_sees_then(left_alone: RunningServer) -> None:
    replaced(left_alone, left_alone.workers()[0])
    assert "died: it ended, and nobody saw how" in left_alone.log.read_text()


def test_nothing_is_left_without_it(left_alone: RunningServer) -> None:
    family = [*left_alone.parent.children(recursive=True), *left_alone.workers()]
    assert left_alone.stop() == 0
    until(lambda: not any(map(is_alive, family)), 10)
    assert "Traceback" not in left_alone.log.read_text()


@contextmanager
def successor(server: RunningServer) -> Iterator[None]:
    """One of the workers is killed; in the block, the parent has asked for the next one, and none
    is forked."""
    stopped = worker_server(server)
    stopped.suspend()
    try:
        kill_and_wait(server.workers()[0])
        until(lambda: is_asked_for(server))
        yield
    finally:
        with suppress(psutil.NoSuchProcess):  # the parent does not wait for long
            stopped.resume()


def is_asked_for(server: RunningServer) -> bool:
    """Whether the parent waits for a worker: what that is to do is in a file."""
    return any(name.startswith("/memfd:tfaas-worker") for name in files(server.parent))


def test_one_that_is_on_its_way_at_the_stop_ends_too(tmp_path: Path) -> None:
    write_plugin(tmp_path / "site", "tfaas-leaving", LEAVES_LATE)
    may_leave = tmp_path / "may-leave"
    settings = "server.request_timeout_s=10", "server.log_level=debug"
    with fake_server(tmp_path, *settings, env={"MAY_LEAVE": str(may_leave)}) as server:
        with successor(server):
            server.process.send_signal(signal.SIGTERM)
            until(lambda: "no connection is accepted any more" in server.log.read_text())
        until(lambda: not is_asked_for(server))
        may_leave.touch()
        assert server.process.wait(STOP_TIMEOUT_S) == 0
        assert "do not end" not in server.log.read_text()


def test_one_that_is_on_its_way_at_sighup_takes_what_is_read(tmp_path: Path) -> None:
    file = tmp_path / "tfaas.toml"
    file.touch()
    arguments = ["--config", str(file)]
    with fake_server(tmp_path, "server.workers=1", arguments=arguments) as server:
        with successor(server):
            file.write_text("[limits]\nmax_upload_bytes = 10\n")
            server.process.send_signal(signal.SIGHUP)
            until(lambda: "the configuration was read again" in server.log.read_text())
        until(lambda: server.upload("one", b"sum").status_code == 413)


# Only a new interpreter reads that module.
@pytest.mark.fresh_python
def test_one_that_it_has_forked_before_it_died_and_not_told_of_ends(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(DIES)
    with fake_server(tmp_path, "server.workers=1") as server:
        until(lambda: [one.ppid() for one in server.workers()] == [server.parent.pid])


def test_one_that_is_stopped_holds_up_no_worker_for_long(tmp_path: Path) -> None:
    with fake_server(tmp_path, "server.workers=1") as server:
        stopped = worker_server(server)
        stopped.suspend()
        (killed,) = server.workers()
        killed.kill()
        until(lambda: not is_alive(killed) and len(server.workers()) == 1)
        assert httpx.get(f"{server.url}/models", timeout=ANSWER_TIMEOUT_S).status_code == 200
        assert not is_alive(stopped)
