"""Fork servers that die, and engines that close."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.core.engine.engines import engine
from tfaas_core.testing.engine_harness import Stream, is_sum, rows_of
from tfaas_core.testing.forked import fork_server, is_alive, kill_and_wait, model_processes
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.runtime import HANGS, TRIGGER
from tfaas_core.testing.waiting import eventually

pytestmark = pytest.mark.usefixtures("no_model_process_stays")


@in_event_loop
async def test_a_killed_fork_server_is_replaced_and_loaded_models_answer_on(
    tmp_path: Path,
) -> None:
    async with engine(tmp_path) as harness:
        worker = harness.worker
        versions = [await worker.upload(name, "sum") for name in "ab"]
        before = model_processes()
        server = fork_server()
        assert server is not None
        async with Stream(worker, versions[0]) as one, Stream(worker, versions[1]) as two:
            await one.goes_on()
            kill_and_wait(server)
            new = await worker.upload("c", "sum")
            assert is_sum(await worker.run(new, rows_of(3)), rows_of(3))
            await one.goes_on()
            await two.goes_on()
            assert one.failures + two.failures == []
        assert all(map(is_alive, before))
        assert not is_alive(server)
    await eventually(lambda: not any(map(is_alive, before)), "orphans of the fork server are gone")


@in_event_loop
async def test_a_dead_fork_server_is_replaced_before_anybody_needs_it(tmp_path: Path) -> None:
    async with engine(tmp_path):
        await eventually(lambda: fork_server() is not None, "there is a fork server")
        server = fork_server()
        assert server is not None
        server.kill()
        await eventually(lambda: fork_server() not in (None, server), "there is a new fork server")


@in_event_loop
async def test_a_stopped_fork_server_is_replaced_once_a_start_takes_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with engine(tmp_path) as harness:
        await harness.worker.upload("one", "sum")
        server = fork_server()
        assert server is not None
        server.suspend()
        monkeypatch.setattr(
            "tfaas_core.engine.in_parent.fork_servers.fork_server.FORK_LIMIT_S", 1.0
        )
        version = await asyncio.wait_for(harness.worker.upload("two", "sum"), 30)
        assert is_sum(await harness.worker.run(version, rows_of(3)), rows_of(3))
        await eventually(lambda: not is_alive(server), "the stopped one is gone")


@in_event_loop
async def test_what_a_model_says_is_heard_after_its_fork_server_was_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    said = ""

    def is_heard() -> bool:
        nonlocal said
        said += capfd.readouterr().err
        return HANGS in said

    async with engine(tmp_path) as harness:
        talking = await harness.worker.upload("one", "hang")
        server = fork_server()
        assert server is not None
        server.suspend()
        monkeypatch.setattr(
            "tfaas_core.engine.in_parent.fork_servers.fork_server.FORK_LIMIT_S", 1.0
        )
        await asyncio.wait_for(harness.worker.upload("two", "sum"), 30)
        asked = asyncio.create_task(harness.worker.run(talking, rows_of(TRIGGER)))
        await eventually(is_heard, "the model is heard")
        asked.cancel()


@in_event_loop
async def test_no_fork_server_outlives_its_engine(tmp_path: Path) -> None:
    async with engine(tmp_path):
        await eventually(lambda: fork_server() is not None, "there is a fork server")
        server = fork_server()
        assert server is not None
    assert not is_alive(server)
