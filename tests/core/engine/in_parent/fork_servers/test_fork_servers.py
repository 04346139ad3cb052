"""A runtime whose modules cannot be imported is named, and breaks no other."""

from __future__ import annotations

import asyncio
import logging
import os
import pickle
import socket
import sys
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tfaas_core.config import load_config
from tfaas_core.engine.base import EngineContext
from tfaas_core.engine.in_parent.fork_servers import fork_server, fork_server_process
from tfaas_core.engine.in_parent.fork_servers.fork_servers import ForkServers
from tfaas_core.engine.shared.forks import Orders
from tfaas_core.errors import StorageUnavailable, Unavailable
from tfaas_core.runtime import Runtime
from tfaas_core.system.lives.lifeline import Lifeline
from tfaas_core.testing.forked import fork_servers
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.runtime import FakeRuntime
from tfaas_core.testing.waiting import eventually

IMPORTING = "importing 'tfaas_preloaded'"

Write = Callable[[str], None]


@pytest.fixture
def write(site: Path) -> Write:
    """Writes the module ``tfaas_preloaded``."""

    def write_module(source: str) -> None:
        (site / "tfaas_preloaded.py").write_text(source)

    return write_module


def preloading(*modules: str) -> Runtime:
    runtime = FakeRuntime()
    # Of this object alone.
    vars(runtime)["preload"] = modules
    return runtime


@asynccontextmanager
async def running(
    stored_runtimes: Callable[[], Collection[str]] | None = None, **runtimes: Runtime
) -> AsyncIterator[ForkServers]:
    """Fork servers, kept as a pool keeps them; the runtimes are of plugins of their names."""
    owners = {name: f"tfaas_{name}" for name in runtimes}
    context = EngineContext(
        load_config(None, (), {}),
        runtimes,
        1,
        owners=owners,
        built_in=("tfaas_heavy",),
        stored_runtimes=stored_runtimes,
    )
    servers = ForkServers(context)

    async def keep() -> None:
        while True:
            servers.keep_ready()
            await asyncio.sleep(0.02)

    keeping = asyncio.create_task(keep())
    try:
        yield servers
    finally:
        keeping.cancel()
        servers.close()


def say_pid(sock: socket.socket, runtimes: Mapping[str, Runtime]) -> None:
    sock.sendall(f"{os.getppid()} {','.join(runtimes)}".encode())


async def started(servers: ForkServers, runtime: str) -> tuple[int, set[str]]:
    """Which fork server forks for ``runtime``, and the runtimes that are there."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        await servers.start(theirs, runtime, say_pid)
        theirs.close()
        pid, names = (await asyncio.to_thread(ours.recv, 100)).decode().split()
    return int(pid), set(names.split(","))


@in_event_loop
async def test_runtimes_that_preload_the_same_share_a_fork_server() -> None:
    async with running(a=FakeRuntime(), b=preloading("json"), c=FakeRuntime()) as servers:
        of_a, with_a = await started(servers, "a")
        of_b, with_b = await started(servers, "b")
        of_c, _with_c = await started(servers, "c")
        assert of_a == of_c != of_b
        assert (with_a, with_b) == ({"a", "c"}, {"b"})
        assert servers.group("a") == servers.group("c") != servers.group("b")
        assert servers.processes() == {of_a: "fork_server", of_b: "fork_server"}
    assert fork_servers() == []


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("raise ValueError('no luck')", f"{IMPORTING} raises ValueError: no luck"),
        ("import no_such_module", f"{IMPORTING} raises ModuleNotFoundError: No module named"),
        ("import sys; sys.exit(3)", f"{IMPORTING} raises SystemExit: 3"),
        (
            r"raise ValueError('two\nlines \udc80')",
            f"{IMPORTING} raises ValueError: two lines \\udc80",
        ),
        (
            "class Mute(Exception):\n    def __str__(self): return 1 / 0\nraise Mute",
            f"{IMPORTING} raises Mute",
        ),
        ("import os; os._exit(3)", f"{IMPORTING} ends its process: it ended with exit code 3"),
        ("import os; os.abort()", f"{IMPORTING} ends its process: it was killed by SIGABRT"),
        (
            "import os; os.closerange(3, 9_999)",
            # It may fail over its link before it is killed.
            (
                f"{IMPORTING} ends its process: it was killed by",
                f"{IMPORTING} ends its process: it ended with exit code 1",
            ),
        ),
        (
            "import threading, time\n"
            "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
            f"{IMPORTING} starts a thread",
        ),
    ],
)
@in_event_loop
async def test_a_runtime_that_cannot_be_preloaded_is_named_and_others_go_on(
    write: Write, caplog: pytest.LogCaptureFixture, source: str, reason: str | tuple[str, ...]
) -> None:
    write(source)
    reasons = (reason,) if isinstance(reason, str) else reason
    async with running(good=FakeRuntime(), bad=preloading("tfaas_preloaded")) as servers:
        for _turn in range(2):
            with pytest.raises(Unavailable) as caught:
                await started(servers, "bad")
            says = "the runtime 'bad' of plugin tfaas_bad cannot be started: "
            assert caught.value.message.startswith(tuple(says + each for each in reasons))
            assert caught.value.details == {"runtime": "bad", "plugin": "tfaas_bad"}
            await started(servers, "good")
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    says = "runtime 'bad' of plugin tfaas_bad cannot be started: "
    assert record.getMessage().startswith(tuple(says + each for each in reasons))
    assert "\n" not in record.getMessage()


@in_event_loop
async def test_the_last_words_of_a_fork_server_are_heard_after_its_end(write: Write) -> None:
    write("raise ValueError('no luck')")
    bad = {"bad": preloading("tfaas_preloaded")}
    lifeline = Lifeline()
    orders = Orders(("tfaas_preloaded",), pickle.dumps(bad), "warning", "text")
    process = fork_server_process.ForkServerProcess(orders, lifeline, lambda: None)
    # The event loop stands still, so what the process says waits in its socket.
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not process.end_where_it_hangs(60, 60)
    with pytest.raises(fork_server_process.NeverReadyError, match="raises ValueError: no luck"):
        await process.ready
    lifeline.close()


@in_event_loop
async def test_the_log_shows_where_a_module_raised(
    write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    write("def fail():\n    raise ValueError('no luck')\n\nfail()")
    async with running(bad=preloading("tfaas_preloaded")) as servers:
        with pytest.raises(Unavailable):
            await started(servers, "bad")
    assert 'tfaas_preloaded.py", line 2, in fail' in caplog.text


@in_event_loop
async def test_an_error_that_was_raised_on_purpose_says_all_itself(
    write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    write("from tfaas_core.errors import Unavailable\nraise Unavailable('no GPU')")
    async with running(bad=preloading("tfaas_preloaded")) as servers:
        with pytest.raises(Unavailable, match=r"raises Unavailable: no GPU$"):
            await started(servers, "bad")
    assert "Traceback" not in caplog.text


@in_event_loop
async def test_an_import_that_hangs_is_given_up(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("import time\ntime.sleep(3600)")
    async with running(good=FakeRuntime(), bad=preloading("tfaas_preloaded")) as servers:
        await started(servers, "good")
        monkeypatch.setattr(fork_server, "PRELOAD_LIMIT_S", 0.5)
        with pytest.raises(Unavailable, match=r"takes longer than 0\.5 s"):
            await started(servers, "bad")
        await started(servers, "good")


@in_event_loop
async def test_an_import_that_gets_no_core_is_waited_for(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def starved_s(process: int) -> float:
        asked.append(process)
        return 3600.0

    there = tmp_path / "there"
    write(f"import os, time\nwhile not os.path.exists({str(there)!r}):\n    time.sleep(0.01)")
    monkeypatch.setattr(fork_server, "PRELOAD_LIMIT_S", 0.0)
    monkeypatch.setattr(fork_server_process, "starved_s", starved_s)
    async with running(late=preloading("tfaas_preloaded")) as servers:
        starting = asyncio.create_task(started(servers, "late"))
        await eventually(lambda: len(asked) > 5, "it would have been given up")
        there.touch()
        process, _names = await starting
        assert {process} == set(asked)


class Exiting:
    def __reduce__(self) -> str:
        sys.exit(3)


@in_event_loop
@pytest.mark.parametrize("lock", [lambda: None, Exiting()])
async def test_a_runtime_that_cannot_be_pickled_is_named(lock: object) -> None:
    bad = preloading("json")
    bad.lock = lock  # type: ignore[attr-defined]
    async with running(good=FakeRuntime(), bad=bad) as servers:
        with pytest.raises(Unavailable, match="'bad' of plugin tfaas_bad cannot be started"):
            await started(servers, "bad")
        await started(servers, "good")


@in_event_loop
async def test_what_could_not_be_preloaded_is_tried_again(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fork_server, "FIRST_RETRY_S", 0.05)
    write("raise ValueError('no luck')")
    async with running(bad=preloading("tfaas_preloaded")) as servers:
        with pytest.raises(Unavailable):
            await started(servers, "bad")
        write("")
        await eventually(lambda: bool(servers.processes()), "it is tried again")
        for _turn in range(1000):
            try:
                await started(servers, "bad")
                break
            except Unavailable:
                await asyncio.sleep(0.02)
        else:
            pytest.fail("it is never well again")


@in_event_loop
async def test_the_fork_server_of_built_in_runtimes_begins_when_it_is_wanted() -> None:
    runtimes = {"light": preloading(), "heavy": preloading("wave")}
    async with running(lambda: {"gone"}, **runtimes) as servers:
        await eventually(lambda: len(servers.processes()) == 1, "that of a plugin is there")
        light, _names = await started(servers, "light")
        assert list(servers.processes()) == [light]
        heavy, _names = await started(servers, "heavy")
        assert set(servers.processes()) == {light, heavy}


@in_event_loop
async def test_the_fork_server_of_built_in_runtimes_begins_if_models_of_theirs_are_stored() -> None:
    runtimes = {"light": preloading(), "heavy": preloading("wave")}
    async with running(lambda: {"heavy"}, **runtimes) as servers:
        await eventually(lambda: len(servers.processes()) == 2, "both are there")


@in_event_loop
async def test_all_fork_servers_begin_if_nobody_can_tell_what_is_stored() -> None:
    def fails() -> set[str]:
        raise StorageUnavailable("the storage is away")

    runtimes = {"light": preloading(), "heavy": preloading("wave")}
    async with running(fails, **runtimes) as servers:
        await eventually(lambda: len(servers.processes()) == 2, "both are there")


@in_event_loop
async def test_the_only_fork_server_begins_at_once() -> None:
    async with running(lambda: (), heavy=preloading()) as servers:
        await eventually(lambda: len(servers.processes()) == 1, "it is there")
