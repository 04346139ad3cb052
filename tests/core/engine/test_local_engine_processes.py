"""What only an engine with processes can do: outlive the death of any of them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.core.engine.engines import engine, healed, upload_and_find
from tfaas_core.engine.local import LocalEngineFactory
from tfaas_core.errors import (
    CannotServe,
    DeadlinePassed,
    ModelLost,
    QueueFull,
    UnknownVersion,
)
from tfaas_core.models.model import ModelVersion
from tfaas_core.storage import removed
from tfaas_core.system.resources import memory
from tfaas_core.testing.engine_harness import Stream, Worker, are_sums, rows_of
from tfaas_core.testing.forked import is_alive, kill_and_wait, model_processes
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.runtime import TRIGGER
from tfaas_core.testing.suites.engine.processes import holding, serving
from tfaas_core.testing.waiting import eventually

pytestmark = pytest.mark.usefixtures("no_model_process_stays")


@in_event_loop
async def test_a_model_that_aborts_fails_its_own_requests_alone(tmp_path: Path) -> None:
    async with engine(tmp_path) as harness:
        worker = harness.worker
        neighbour = await worker.upload("good", "sum")
        version, process = await upload_and_find(worker, "bad", "abort")
        async with Stream(worker, neighbour) as stream:
            for _turn in range(3):
                requests = [rows_of(1), rows_of(TRIGGER), rows_of(2)]
                errors = await worker.run_all(version, requests)
                assert [type(error) for error in errors] == [ModelLost] * 3
                await healed(worker, version)
                assert not is_alive(process)
                await stream.goes_on()
            assert stream.failures == []


@in_event_loop
async def test_an_upload_that_dies_of_a_run_before_it_is_stored_is_refused(
    tmp_path: Path,
) -> None:
    async with engine(tmp_path) as harness:
        loaded = await harness.worker.prepare("vk", "abort")
        refusal = "the process of model 'vk' died"
        with pytest.raises(CannotServe, match=refusal):
            await harness.worker.run_prepared(loaded, rows_of(TRIGGER))
        await eventually(lambda: not model_processes(), "its process is gone")
        with pytest.raises(CannotServe, match=refusal):
            await harness.worker.run_prepared(loaded, rows_of(1))
        harness.worker.engine.discard(loaded.ticket)


@in_event_loop
async def test_an_upload_that_hangs_in_a_run_before_it_is_stored_is_gone_soon(
    tmp_path: Path,
) -> None:
    async with engine(tmp_path, "server.request_timeout_s=0.2") as harness:
        loaded = await harness.worker.prepare("vk", "hang")
        with pytest.raises(DeadlinePassed):
            await harness.worker.run_prepared(loaded, rows_of(TRIGGER))
        harness.worker.engine.discard(loaded.ticket)
        await eventually(lambda: not model_processes(), "its process is gone")


@in_event_loop
async def test_a_killed_model_process_is_replaced_under_load(tmp_path: Path) -> None:
    async with engine(tmp_path) as harness:
        neighbour = await harness.worker.upload("other", "sum")
        version, process = await upload_and_find(harness.worker, "vk", "sum")
        async with (
            Stream(harness.worker, version) as stream,
            Stream(harness.worker, neighbour) as other,
        ):
            await stream.goes_on()
            process.kill()
            await eventually(lambda: not is_alive(process), "the process is gone")
            await stream.goes_on()
            await other.goes_on()
        assert {type(failure) for failure in stream.failures} <= {ModelLost}
        assert other.failures == []
        assert len(model_processes()) == 2


@in_event_loop
async def test_a_process_that_is_stuck_in_a_run_is_replaced(tmp_path: Path) -> None:
    async with engine(tmp_path, "server.request_timeout_s=1") as harness:
        worker = harness.worker
        neighbour = await worker.upload("good", "sum")
        version, process = await upload_and_find(worker, "bad", "hang")
        async with Stream(worker, neighbour) as stream:
            assert type(await worker.try_run(version, rows_of(TRIGGER))) is DeadlinePassed
            await healed(worker, version)
            await eventually(lambda: not is_alive(process), "the stuck one is gone")
            assert stream.failures == []


@in_event_loop
async def test_a_process_that_is_stopped_is_replaced(tmp_path: Path) -> None:
    async with engine(tmp_path, "server.request_timeout_s=1") as harness:
        worker = harness.worker
        neighbour = await worker.upload("good", "sum")
        version, process = await upload_and_find(worker, "vk", "sum")
        async with Stream(worker, neighbour) as stream:
            process.suspend()
            # One without a row is noticed, too.
            assert type(await worker.try_run(version, rows_of())) is DeadlinePassed
            await eventually(lambda: not is_alive(process), "the process is gone")
            await healed(worker, version)
            await stream.goes_on()
            assert stream.failures == []


@in_event_loop
async def test_two_workers_use_one_process(tmp_path: Path) -> None:
    async with engine(tmp_path, workers=2) as harness:
        version, process = await upload_and_find(harness.worker, "vk", "sum")
        other = await harness.start_worker(1)
        requests = [rows_of(number) for number in range(50)]
        for worker in (harness.worker, other):
            assert are_sums(await worker.run_all(version, requests), requests)
        assert model_processes() == [process]
        kill_and_wait(process)
        for worker in (harness.worker, other):
            await healed(worker, version)
        assert len(model_processes()) == 1


@in_event_loop
async def test_a_killed_worker_frees_its_rows_in_the_queue(tmp_path: Path) -> None:
    async with engine(tmp_path, "engine.max_queue_rows=10", workers=2) as harness:
        version = await harness.worker.upload("vk", "hang")
        await harness.worker.run(version, rows_of(1))
        rows = rows_of(*[TRIGGER] * 10)
        async with holding(LocalEngineFactory(), harness.attach(1), version, rows) as other:
            assert is_refused(harness.worker, version)
            other.kill()
            await eventually(
                lambda: not is_refused(harness.worker, version), "there is room in the queue"
            )


def is_refused(worker: Worker, version: ModelVersion) -> bool:
    """Whether the queue is full; where not, the request takes a place in it."""
    try:
        run = worker.engine.run(version, [rows_of(1)], 1)
    except QueueFull:
        return True
    asyncio.ensure_future(run).cancel()
    return False


@in_event_loop
async def test_no_model_process_survives_a_killed_parent(tmp_path: Path) -> None:
    settings, words = ["engine.isolation=model"], ["sum", "sum", "hang-on-load"]
    async with serving(LocalEngineFactory(), tmp_path, settings, words) as (parent, processes):
        parent.kill()
        await eventually(lambda: not any(map(is_alive, processes)), "all processes are gone")


@in_event_loop
async def test_a_version_that_is_removed_while_it_is_loaded_is_unknown_and_nobody_to_blame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    async with engine(tmp_path, workers=2) as harness:
        version = harness.worker.store("vk", "sum")
        path = harness.shelf.artifact(version)

        def found_and_removed(version: ModelVersion) -> Path:
            if not path.exists():
                raise removed(version)
            path.unlink()
            return path

        monkeypatch.setattr(harness.shelf, "artifact", found_and_removed)
        other = await harness.start_worker(1)
        for _turn in range(2):
            with pytest.raises(UnknownVersion, match="vk/1 was removed just now"):
                await other.run(version, rows_of(1))
    assert "Traceback" not in capfd.readouterr().err


@in_event_loop
async def test_a_process_of_many_models_is_measured_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes longer the more it holds: minutes, if it were done for each of 1,000 models."""
    measured: list[int] = []
    private_bytes = memory.private_bytes

    def counted(pid: int) -> int | None:
        measured.append(pid)
        return private_bytes(pid)

    monkeypatch.setattr(memory, "private_bytes", counted)
    async with engine(tmp_path, "engine.isolation=shared") as harness:
        for name in ("a", "b", "c"):
            await harness.worker.upload(name, "sum")
        told = await harness.worker.engine.servables()
        (process,) = model_processes()
        assert measured == [process.pid]
        assert [(each.model, each.pid) for each in told] == [
            (f"{name}/1", process.pid) for name in ("a", "b", "c")
        ]
        assert all((each.private_bytes or 0) > 1_000_000 for each in told)
