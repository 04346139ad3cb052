"""Large values go to a model's process, and back, through memory that goes with either side."""

from __future__ import annotations

import asyncio
import gc
import os
from pathlib import Path

from tests.core.engine.engines import engine, healed, upload_and_find
from tfaas_core.engine.shared.slots import LEAST_BYTES
from tfaas_core.errors import ModelLost
from tfaas_core.tensors import Array
from tfaas_core.testing.engine_harness import are_sums, is_sum, rows_of
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.runtime import TRIGGER
from tfaas_core.testing.waiting import eventually

ROWS = LEAST_BYTES // 4
LARGE = ("engine.max_queue_rows=1000000", "engine.max_batch_rows=1000000")


def large(first: float = 1.0) -> Array:
    """So many rows that their sums are large, too."""
    return rows_of(first, *range(1000, ROWS + 999))  # without a TRIGGER


def slot_bytes(pid: int) -> int:
    """Of memory for slots that a process has touched."""
    lines = Path(f"/proc/{pid}/smaps").read_text().splitlines()
    starts = [place for place, line in enumerate(lines) if "tfaas-slots" in line]
    found = [next(line for line in lines[place:] if line.startswith("Rss:")) for place in starts]
    return sum(1024 * int(line.split()[1]) for line in found)


def slot_descriptors() -> int:
    """Of this process, which is HTTP worker and parent."""
    links = [f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")]
    return sum("tfaas-slots" in os.readlink(link) for link in links if os.path.lexists(link))


@in_event_loop
async def test_both_directions_share_memory_with_the_models_process(tmp_path: Path) -> None:
    async with engine(tmp_path, *LARGE) as harness:
        version, process = await upload_and_find(harness.worker, "vk", "sum")
        assert is_sum(await harness.worker.run(version, rows_of(1)), rows_of(1))
        few = slot_bytes(process.pid)
        requests = [large(float(number)) for number in range(5)]
        assert are_sums(await harness.worker.run_all(version, requests), requests)
        rows = requests[0]
        assert slot_bytes(process.pid) - few >= rows.nbytes + 4 * len(rows)


@in_event_loop
async def test_a_process_that_dies_with_large_values_leaves_nothing(tmp_path: Path) -> None:
    gc.collect()
    others = slot_descriptors()  # of earlier tests
    async with engine(tmp_path, *LARGE) as harness:
        worker = harness.worker
        version, _process = await upload_and_find(worker, "vk", "abort")
        before = await worker.run(version, large())
        for _ in range(3):
            answers = await worker.run_all(version, [large(TRIGGER), large()])
            assert isinstance(answers[0], ModelLost)
            await healed(worker, version)
            # Of the new connection, and of what is left of the first answer.
            await eventually(lambda: slot_descriptors() <= others + 2, "its memory is gone")
        assert is_sum(before, large())
        del before
        await eventually(lambda: slot_descriptors() <= others + 1, "its memory is gone")


@in_event_loop
async def test_a_worker_that_dies_with_large_values_leaves_nothing(tmp_path: Path) -> None:
    async with engine(tmp_path, *LARGE, workers=2) as harness:
        version, process = await upload_and_find(harness.worker, "vk", "sum")
        assert is_sum(await harness.worker.run(version, large()), large())
        other = await harness.start_worker(1)
        mine = slot_bytes(process.pid)
        assert is_sum(await other.run(version, large()), large())
        assert slot_bytes(process.pid) > mine
        running = asyncio.ensure_future(other.run(version, large()))
        await asyncio.sleep(0)  # what it sends is on its way
        await harness.stop_worker(1)
        await asyncio.gather(running, return_exceptions=True)
        await eventually(lambda: slot_bytes(process.pid) <= mine, "its memory is gone")
        assert is_sum(await harness.worker.run(version, large()), large())
