"""What only an engine with processes can do: outlive the death of any of them."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path

import psutil
import pytest

from tfaas_core.engine.local import LocalEngineFactory
from tfaas_core.errors import CannotServe, DeadlinePassed, ModelLost, QueueFull, Unavailable
from tfaas_core.models.model import ModelVersion
from tfaas_core.testing.engine_harness import (
    Harness,
    Stream,
    Worker,
    are_sums,
    eventually,
    is_sum,
    rows_of,
    started,
)
from tfaas_core.testing.engine_processes import holding, serving
from tfaas_core.testing.forked import fork_server, is_alive, model_processes
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.runtime import TRIGGER


def engine(folder: Path, *settings: str, workers: int = 1) -> AbstractAsyncContextManager[Harness]:
    return started(LocalEngineFactory(), folder, ["engine.isolation=model", *settings], workers)


@pytest.fixture(autouse=True)
def _no_model_process_stays() -> Iterator[None]:
    yield
    asyncio.run(eventually(lambda: not model_processes(), "all model processes are gone"))


async def upload_and_find(
    worker: Worker, name: str, word: str
) -> tuple[ModelVersion, psutil.Process]:
    before = model_processes()
    version = await worker.upload(name, word)
    (process,) = set(model_processes()) - set(before)
    return version, process


def thread_facts(process: psutil.Process, name: str) -> list[str]:
    """What the kernel says under ``name`` of each thread."""
    return [
        next(line.split()[1] for line in status.read_text().splitlines() if line.startswith(name))
        for status in Path(f"/proc/{process.pid}/task").glob("*/status")
    ]


def priorities_of_threads(process: psutil.Process) -> set[tuple[int, int]]:
    """The scheduling policy and the niceness of each of its threads."""
    return {
        (os.sched_getscheduler(thread.id), os.getpriority(os.PRIO_PROCESS, thread.id))
        for thread in process.threads()
    }


@contextmanager
def on_one_core(process: psutil.Process) -> Iterator[None]:
    """Keeps all its threads, and the one that calls, on the same core."""
    before = os.sched_getaffinity(0)
    for thread_id in (0, *(thread.id for thread in process.threads())):
        os.sched_setaffinity(thread_id, {min(before)})
    yield
    os.sched_setaffinity(0, before)


def sleeps(process: psutil.Process) -> int:
    """How often its threads have given up their cores to wait for something."""
    return sum(map(int, thread_facts(process, "voluntary_ctxt_switches")))


async def healed(worker: Worker, version: ModelVersion) -> None:
    """Asks until there is an answer."""
    while not is_sum(await worker.try_run(version, rows_of(5)), rows_of(5)):
        pass


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
                await asyncio.wait_for(healed(worker, version), 2)
                assert not is_alive(process)
                await stream.goes_on()
            assert stream.failures == []


@in_event_loop
async def test_an_upload_that_dies_of_a_run_before_it_is_stored_is_refused(
    tmp_path: Path,
) -> None:
    async with engine(tmp_path) as harness:
        loaded = await harness.worker.prepare("vk", "abort")
        for rows in (rows_of(TRIGGER), rows_of(1)):
            with pytest.raises(CannotServe, match="the process of model 'vk' died"):
                await harness.worker.run_prepared(loaded, rows)
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
            killed_s = time.monotonic()
            process.kill()
            await eventually(lambda: not is_alive(process), "the process is gone")
            await stream.goes_on()
            assert time.monotonic() - killed_s < 2
            await other.goes_on()
        assert {type(failure) for failure in stream.failures} <= {ModelLost}
        assert other.failures == []
        assert len(model_processes()) == 2


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
            server.kill()
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
        monkeypatch.setattr("tfaas_core.engine.in_parent.fork_server.FORK_LIMIT_S", 1.0)
        version = await asyncio.wait_for(harness.worker.upload("two", "sum"), 30)
        assert is_sum(await harness.worker.run(version, rows_of(3)), rows_of(3))
        assert not is_alive(server)


@in_event_loop
async def test_no_fork_server_outlives_its_engine(tmp_path: Path) -> None:
    async with engine(tmp_path):
        await eventually(lambda: fork_server() is not None, "there is a fork server")
        server = fork_server()
        assert server is not None
    assert not is_alive(server)


@in_event_loop
async def test_a_process_that_is_stuck_in_a_run_is_replaced(tmp_path: Path) -> None:
    async with engine(tmp_path, "server.request_timeout_s=0.2") as harness:
        worker = harness.worker
        neighbour = await worker.upload("good", "sum")
        version, process = await upload_and_find(worker, "bad", "hang")
        async with Stream(worker, neighbour) as stream:
            assert type(await worker.try_run(version, rows_of(TRIGGER))) is DeadlinePassed
            await asyncio.wait_for(healed(worker, version), 5)
            assert not is_alive(process)
            assert stream.failures == []


@in_event_loop
async def test_a_process_that_is_stopped_is_replaced(tmp_path: Path) -> None:
    async with engine(tmp_path, "server.request_timeout_s=0.2") as harness:
        worker = harness.worker
        neighbour = await worker.upload("good", "sum")
        version, process = await upload_and_find(worker, "vk", "sum")
        async with Stream(worker, neighbour) as stream:
            process.suspend()
            # One without a row is noticed, too.
            assert type(await worker.try_run(version, rows_of())) is DeadlinePassed
            await eventually(lambda: not is_alive(process), "the process is gone")
            await asyncio.wait_for(healed(worker, version), 5)
            await stream.goes_on()
            assert stream.failures == []


@in_event_loop
async def test_a_load_that_takes_too_long_is_refused_and_its_process_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with engine(tmp_path) as harness:
        _version, first = await upload_and_find(harness.worker, "first", "sum")
        monkeypatch.setattr("tfaas_core.engine.in_parent.loader.LOAD_TIMEOUT_S", 1.0)
        loading = asyncio.create_task(harness.worker.prepare("vk", "hang-on-load"))
        await eventually(lambda: len(model_processes()) == 2, "the process has started")
        (process,) = set(model_processes()) - {first}
        with pytest.raises(CannotServe, match="did not load and warm up within 1 s"):
            await loading
        await eventually(lambda: not is_alive(process), "the process is gone")


@in_event_loop
async def test_an_upload_that_loads_for_ever_goes_with_its_worker(tmp_path: Path) -> None:
    async with engine(tmp_path, workers=2) as harness:
        other = await harness.start_worker(1)
        loading = asyncio.create_task(other.prepare("vk", "hang-on-load"))
        await eventually(lambda: len(model_processes()) == 1, "the process has started")
        await harness.stop_worker(1)
        await eventually(lambda: not model_processes(), "the process is gone")
        loading.cancel()


@pytest.mark.parametrize("isolation", ["model", "shared"])
@in_event_loop
async def test_made_up_values_that_run_for_ever_are_given_up(
    tmp_path: Path,
    isolation: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("tfaas_core.engine.in_parent.watch.WARM_UP_LIMIT_S", 0.5)
    async with engine(tmp_path, f"engine.isolation={isolation}") as harness:
        worker = harness.worker
        version, process = await upload_and_find(worker, "vk", "hang-on-zero")
        assert version.mergeable
        assert is_sum(await worker.run(version, rows_of(1, 2)), rows_of(1, 2))
        assert "the upload vk: made-up values run longer than 0.5 s" in caplog.text
        # They are not tried again with the same version.
        caplog.clear()
        process.kill()
        await asyncio.wait_for(healed(worker, version), 5)
        assert "made-up" not in caplog.text
        assert len(model_processes()) == 1


@in_event_loop
async def test_a_model_that_crashes_on_loading_cannot_be_served(tmp_path: Path) -> None:
    async with engine(tmp_path) as harness:
        worker = harness.worker
        for _turn in range(3):
            with pytest.raises(CannotServe, match="crash on loading: it was killed by SIGABRT"):
                await worker.upload("vk", "abort-on-load")
        stored = worker.store("other", "abort-on-load")
        errors = await worker.run_all(stored, [rows_of(1)] * 3)
        assert [type(error) for error in errors] == [CannotServe] * 3
        assert is_sum(await worker.run(await worker.upload("vk", "sum"), rows_of(1)), rows_of(1))


@in_event_loop
async def test_many_models_that_crash_on_loading_at_once_are_told_apart(tmp_path: Path) -> None:
    words = ["abort-on-load", "sum", "abort-on-load", "nonsense"] * 5
    async with engine(tmp_path) as harness:
        loads = [harness.worker.prepare(f"m{i}", word) for i, word in enumerate(words)]
        outcomes = await asyncio.gather(*loads, return_exceptions=True)
        for word, outcome in zip(words, outcomes, strict=True):
            assert isinstance(outcome, CannotServe) is (word != "sum")
            assert ("SIGABRT" in str(outcome)) is (word == "abort-on-load")


@in_event_loop
async def test_an_upload_whose_process_is_killed_may_be_tried_again(tmp_path: Path) -> None:
    async with engine(tmp_path) as harness:
        loading = asyncio.create_task(harness.worker.prepare("vk", "hang-on-load"))
        await eventually(lambda: len(model_processes()) == 1, "the process has started")
        model_processes()[0].kill()
        with pytest.raises(ModelLost, match="try again"):
            await loading


@in_event_loop
async def test_a_model_that_dies_between_upload_and_adoption_is_loaded_again(
    tmp_path: Path,
) -> None:
    async with engine(tmp_path) as harness:
        worker = harness.worker
        path = harness.shelf.stage("sum")
        loaded = await worker.prepare("vk", "sum")
        (process,) = model_processes()
        process.kill()
        await eventually(lambda: not is_alive(process), "the process is gone")
        version = harness.shelf.commit("vk", path, loaded)
        await worker.engine.adopt(loaded.ticket, version)
        await asyncio.wait_for(healed(worker, version), 2)


@in_event_loop
async def test_a_request_does_not_wait_for_ever_for_its_model_to_load(tmp_path: Path) -> None:
    async with engine(tmp_path, "server.request_timeout_s=0.1") as harness:
        version = harness.worker.store("vk", "hang-on-load")
        for error in await harness.worker.run_all(version, [rows_of(1)] * 3):
            assert type(error) is Unavailable
            assert "still loading" in error.message


@in_event_loop
async def test_room_is_made_before_a_model_is_loaded(tmp_path: Path) -> None:
    async with engine(tmp_path, "engine.max_loaded_models=2") as harness:
        _version, oldest = await upload_and_find(harness.worker, "a", "sum")
        _version, newest = await upload_and_find(harness.worker, "b", "sum")
        loading = asyncio.create_task(harness.worker.prepare("c", "hang-on-load"))
        await eventually(lambda: not is_alive(oldest), "the oldest is gone")
        await eventually(lambda: len(model_processes()) == 2, "the new one is being loaded")
        assert is_alive(newest)
    loading.cancel()


@in_event_loop
async def test_closing_ends_a_process_that_is_still_loading(tmp_path: Path) -> None:
    async with engine(tmp_path) as harness:
        loading = asyncio.create_task(harness.worker.prepare("vk", "hang-on-load"))
        await eventually(lambda: len(model_processes()) == 1, "the process has started")
    loading.cancel()
    await eventually(lambda: not model_processes(), "the process is gone")


@in_event_loop
async def test_two_workers_use_one_process(tmp_path: Path) -> None:
    async with engine(tmp_path, workers=2) as harness:
        version, process = await upload_and_find(harness.worker, "vk", "sum")
        other = await harness.start_worker(1)
        requests = [rows_of(number) for number in range(50)]
        for worker in (harness.worker, other):
            assert are_sums(await worker.run_all(version, requests), requests)
        assert model_processes() == [process]
        process.kill()
        for worker in (harness.worker, other):
            await asyncio.wait_for(healed(worker, version), 2)
        assert len(model_processes()) == 1


@pytest.mark.parametrize("limit_us", [0, 100_000])
@in_event_loop
async def test_a_process_does_not_sleep_between_requests_that_come_quickly(
    tmp_path: Path, limit_us: int
) -> None:
    async with engine(tmp_path, f"engine.busy_poll_us={limit_us}") as harness:
        version, process = await upload_and_find(harness.worker, "vk", "sum")
        await harness.worker.run(version, rows_of(1))
        await harness.worker.run(version, rows_of(1))
        before = sleeps(process)
        for number in range(100):
            assert is_sum(await harness.worker.run(version, rows_of(number)), rows_of(number))
        slept = sleeps(process) - before
    assert slept < 50 if limit_us else slept > 50


@in_event_loop
async def test_a_process_that_nobody_asks_sleeps(tmp_path: Path) -> None:
    async with engine(tmp_path, "engine.busy_poll_us=100_000") as harness:
        version, process = await upload_and_find(harness.worker, "vk", "sum")
        for number in range(100):
            await harness.worker.run(version, rows_of(number))
        await eventually(lambda: set(thread_facts(process, "State")) == {"S"}, "it sleeps")


@pytest.mark.parametrize(
    ("word", "priority", "policy", "nicer"),
    [
        ("burn 0.02", "idle", os.SCHED_IDLE, 0),
        ("burn 0.02", "low", os.SCHED_OTHER, 10),
        ("burn 0.02", "normal", os.SCHED_OTHER, 0),
        ("burn 0.001", "idle", os.SCHED_OTHER, 0),
        ("sleep 0.02", "idle", os.SCHED_OTHER, 0),
    ],
)
@in_event_loop
async def test_a_model_whose_runs_keep_a_core_busy_gives_way(
    tmp_path: Path, word: str, priority: str, policy: int, nicer: int
) -> None:
    async with engine(tmp_path, f"engine.slow_priority={priority}") as harness:
        version, process = await upload_and_find(harness.worker, "vk", word)
        before = process.nice()
        for number in range(10):
            assert is_sum(await harness.worker.run(version, rows_of(number)), rows_of(number))
        assert priorities_of_threads(process) == {(policy, before + nicer)}


@in_event_loop
async def test_a_worker_that_never_sleeps_leaves_a_core_to_a_model_that_gave_way(
    tmp_path: Path,
) -> None:
    async with engine(tmp_path) as harness:
        version, process = await upload_and_find(harness.worker, "vk", "burn 0.02")
        for number in range(5):
            await harness.worker.run(version, rows_of(number))
        with on_one_core(process):
            answer = asyncio.ensure_future(harness.worker.run(version, rows_of(5)))
            # By its share of the core alone, it would take seven seconds.
            async with asyncio.timeout(3):
                while not answer.done():
                    await asyncio.sleep(0)
            assert is_sum(answer.result(), rows_of(5))


@in_event_loop
async def test_models_in_one_process_do_not_give_way(tmp_path: Path) -> None:
    async with engine(tmp_path, "engine.isolation=shared") as harness:
        version, process = await upload_and_find(harness.worker, "vk", "burn 0.02")
        before = priorities_of_threads(process)
        for number in range(5):
            await harness.worker.run(version, rows_of(number))
        assert priorities_of_threads(process) == before


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
