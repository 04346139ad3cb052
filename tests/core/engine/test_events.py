"""The built-in engine tells what becomes of models, each once."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from tests.core.engine.engines import engine, upload_and_find
from tfaas_core.engine.local import LocalEngineFactory
from tfaas_core.errors import CannotServe, ModelLost
from tfaas_core.events import ModelCrashed, ModelLoaded, ModelUnloaded
from tfaas_core.testing.engine_harness import RUNTIME, Harness, rows_of, started
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.runtime import TRIGGER
from tfaas_core.testing.waiting import eventually


async def until_told(harness: Harness, count: int) -> None:
    await eventually(lambda: len(harness.events) >= count, f"{count} events are told")
    assert len(harness.events) == count


@in_event_loop
async def test_an_upload_is_loaded_once_it_is_stored_and_unloaded_once_it_is_retired(
    tmp_path: Path,
) -> None:
    async with engine(tmp_path, workers=2) as harness:
        other = await harness.start_worker(1)
        version, process = await upload_and_find(harness.worker, "vk", "sum")
        (loaded,) = harness.events
        assert isinstance(loaded, ModelLoaded)
        assert (loaded.model, loaded.version, loaded.runtime) == ("vk", 1, RUNTIME)
        assert loaded.pid == process.pid
        assert 0 < loaded.duration_s < 60
        for worker in (harness.worker, other):
            await worker.run(version, rows_of(1))
        for worker in (harness.worker, other):
            worker.retire(version)
        await until_told(harness, 2)
        assert harness.events[1] == ModelUnloaded(
            model="vk", version=1, pid=process.pid, reason="retired"
        )


@in_event_loop
async def test_a_model_that_makes_room_is_evicted(tmp_path: Path) -> None:
    async with engine(tmp_path, "engine.max_loaded_models=1") as harness:
        versions = [harness.worker.store(name, "sum") for name in "ab"]
        for version in versions:
            await harness.worker.run(version, rows_of(1))
        await until_told(harness, 3)
        loads = [event for event in harness.events if isinstance(event, ModelLoaded)]
        assert [event.model for event in loads] == ["a", "b"]
        assert ModelUnloaded(model="a", version=1, pid=loads[0].pid, reason="evicted") in (
            harness.events
        )


@in_event_loop
async def test_a_crash_is_told_instead_of_an_unload(tmp_path: Path) -> None:
    async with engine(tmp_path) as harness:
        version, process = await upload_and_find(harness.worker, "bad", "abort")
        with pytest.raises(ModelLost):
            await harness.worker.run(version, rows_of(TRIGGER))
        await until_told(harness, 2)
        assert harness.events[1] == ModelCrashed(
            model="bad",
            version=1,
            pid=process.pid,
            ending="was killed by SIGABRT",
            was_loaded=True,
        )


@in_event_loop
async def test_an_upload_that_crashes_has_no_version(tmp_path: Path) -> None:
    async with engine(tmp_path) as harness:
        loaded = await harness.worker.prepare("vk", "abort")
        with pytest.raises(CannotServe):
            await harness.worker.run_prepared(loaded, rows_of(TRIGGER))
        await until_told(harness, 1)
        (crashed,) = harness.events
        assert isinstance(crashed, ModelCrashed)
        assert (crashed.model, crashed.version, crashed.was_loaded) == ("vk", None, False)
        harness.worker.engine.discard(loaded.ticket)


@in_event_loop
async def test_uploads_that_are_refused_are_none_of_them(tmp_path: Path) -> None:
    async with engine(tmp_path) as harness:
        with pytest.raises(CannotServe):
            await harness.worker.prepare("vk", "nonsense")
        harness.worker.engine.discard((await harness.worker.prepare("vk", "sum")).ticket)
        await harness.worker.upload("after", "sum")
        assert [event.model for event in harness.events] == ["after"]


@in_event_loop
async def test_each_http_worker_tells_of_what_it_holds_itself(tmp_path: Path) -> None:
    factory, settings = LocalEngineFactory(), ["engine.isolation=inline"]
    async with started(factory, tmp_path, settings, workers=2) as harness:
        other = await harness.start_worker(1)
        version = harness.worker.store("vk", "sum")
        for worker in (harness.worker, other):
            await worker.run(version, rows_of(1))
        for worker in (harness.worker, other):
            worker.retire(version)
        await until_told(harness, 4)
        kinds = [type(event) for event in harness.events]
        assert kinds == [ModelLoaded] * 2 + [ModelUnloaded] * 2
        assert {getattr(event, "pid", None) for event in harness.events} == {os.getpid()}


@in_event_loop
async def test_the_end_of_an_engine_is_not_told(tmp_path: Path) -> None:
    async with engine(tmp_path) as harness:
        await harness.worker.upload("vk", "sum")
    await asyncio.sleep(0)
    assert [type(event) for event in harness.events] == [ModelLoaded]


@in_event_loop
async def test_all_that_a_shared_process_held_has_crashed_with_it(tmp_path: Path) -> None:
    factory, settings = LocalEngineFactory(), ["engine.isolation=shared"]
    async with started(factory, tmp_path, settings) as harness:
        await harness.worker.upload("good", "sum")
        version = await harness.worker.upload("bad", "abort")
        with pytest.raises(ModelLost):
            await harness.worker.run(version, rows_of(TRIGGER))
        await until_told(harness, 4)
        crashes = [event for event in harness.events if isinstance(event, ModelCrashed)]
        assert {event.model for event in crashes} == {"good", "bad"}
        assert len({event.pid for event in harness.events if hasattr(event, "pid")}) == 1
