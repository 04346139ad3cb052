"""Model processes that poll, sleep and give way."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.core.engine.engines import engine, upload_and_find
from tfaas_core.testing.engine_harness import is_sum, rows_of
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.waiting import eventually

pytestmark = pytest.mark.usefixtures("no_model_process_stays")


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
        ("share 0.02", "idle", os.SCHED_OTHER, 10),
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


@pytest.mark.alone
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
