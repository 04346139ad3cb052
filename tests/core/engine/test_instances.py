"""Several processes of one version: they come and go, and no request is lost."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import psutil
import pytest

from tests.core.engine.engines import engine
from tfaas_core.engine.scheduling import demand
from tfaas_core.errors import ModelLost, QueueFull
from tfaas_core.events import ModelCrashed, ModelLoaded, ModelUnloaded
from tfaas_core.models.model import ModelVersion
from tfaas_core.testing.engine_harness import Harness, Stream, is_sum, rows_of
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.waiting import eventually

pytestmark = pytest.mark.usefixtures("no_model_process_stays")

ALONE = {"merge": False}
"""Each request is a run of its own, so that all but one wait."""


def pids_of(harness: Harness, version: ModelVersion) -> list[int]:
    """The processes that hold the version, the oldest first."""
    pids: list[int] = []
    for event in harness.events:
        if (event.model, event.version) != (version.name, version.version):
            continue
        if isinstance(event, ModelLoaded):
            assert event.pid is not None
            pids.append(event.pid)
        elif isinstance(event, ModelUnloaded | ModelCrashed) and event.pid in pids:
            pids.remove(event.pid)
    return pids


async def until(harness: Harness, version: ModelVersion, count: int) -> list[int]:
    """Waits until so many processes are loaded with the version."""
    await eventually(
        lambda: len(pids_of(harness, version)) == count, f"{version.name} has {count} processes"
    )
    return pids_of(harness, version)


@in_event_loop
async def test_a_long_queue_gets_a_second_process_and_who_keeps_state_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with engine(tmp_path, "engine.instances=2") as harness:
        worker = harness.worker
        slow = await worker.upload("slow", "sleep 0.03", batch=ALONE)
        state = await worker.upload("state", "add-up 0.03")
        async with Stream(worker, state), Stream(worker, slow) as stream:
            first, second = await until(harness, slow, 2)
            await stream.goes_on()
            assert stream.failures == []
            # The first is the one that all who ask for the version are sent to.
            psutil.Process(first).kill()
            await eventually(lambda: first not in pids_of(harness, slow), "the death is known")
            _, third = await until(harness, slow, 2)
            assert third not in (first, second)
            await stream.goes_on()
            assert {type(failure) for failure in stream.failures} <= {ModelLost}
        assert len(pids_of(harness, state)) == 1
        monkeypatch.setattr(demand, "KEEP_S", 0.2)
        await until(harness, slow, 1)
        assert is_sum(await worker.run(slow, rows_of(1)), rows_of(1))
        assert harness.events[-1].reason == "spare"  # type: ignore[union-attr]


@in_event_loop
async def test_all_workers_use_all_processes_and_a_queue_is_bounded_for_all_together(
    tmp_path: Path,
) -> None:
    settings = ("engine.instances=2", "engine.max_queue_rows=10")
    async with engine(tmp_path, *settings, workers=2) as harness:
        version = await harness.worker.upload("vk", "sleep 0.1", batch=ALONE)
        async with Stream(harness.worker, version):
            await until(harness, version, 2)
        other = await harness.start_worker(1)
        await other.run(version, rows_of(1))
        asked_s = time.monotonic()
        asked = [other.engine.run(version, [rows_of(n)], 1) for n in range(10)]
        with pytest.raises(QueueFull, match="10 rows are waiting for model 'vk', which is all"):
            other.engine.run(version, [rows_of(1)], 1)
        loaded = await other.engine.servables()
        assert len(loaded) == 2
        assert all(each.idle_s < time.monotonic() - asked_s for each in loaded)
        for number, answer in enumerate(await asyncio.gather(*asked)):
            assert is_sum(answer[0], rows_of(number))


@in_event_loop
async def test_a_switch_reaches_all_processes_and_one_too_many_makes_room_first(
    tmp_path: Path,
) -> None:
    async with engine(tmp_path, "engine.instances=2", "engine.max_loaded_models=2") as harness:
        worker = harness.worker
        old = await worker.upload("vk", "sleep 0.03", batch=ALONE)
        async with Stream(worker, old) as stream:
            await until(harness, old, 2)
            new = await worker.upload("vk", "sleep 0.03", batch=ALONE)
            await until(harness, old, 1)
            await stream.goes_on()
            stream.version = new
            worker.retire(old)
            await until(harness, old, 0)
            await until(harness, new, 2)
            await stream.goes_on()
            worker.retire(new)
            await eventually(
                lambda: sum(isinstance(e, ModelUnloaded) for e in harness.events) == 4,
                "all that were there are unloaded",
            )
            await stream.goes_on()
        assert stream.failures == []
