"""Many long answers at once take a model's process little more memory than one run of them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest

from tests.core.engine.engines import WITHIN_S
from tests.core.engine.wide_runtime import WIDTH, WideRuntime
from tfaas_core.engine.in_model_process.answered_rows import RUN_BYTES
from tfaas_core.engine.local import LocalEngineFactory
from tfaas_core.errors import ModelLost
from tfaas_core.models.model import ModelVersion
from tfaas_core.testing.engine_harness import Harness, Worker, rows_of, started
from tfaas_core.testing.forked import model_processes
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.waiting import eventually

pytestmark = pytest.mark.usefixtures("no_model_process_stays")

MANY = 24
FEW_BYTES = 3 * RUN_BYTES
"""Of memory. The answers take twice as much."""


@asynccontextmanager
async def wide(folder: Path) -> AsyncIterator[tuple[Harness, ModelVersion, psutil.Process]]:
    settings = ["engine.isolation=model"]
    async with started(LocalEngineFactory(), folder, settings, 2, WideRuntime()) as harness:
        version = await harness.worker.upload("vk", "any")
        (process,) = model_processes()
        yield harness, version, process


async def ask(worker: Worker, version: ModelVersion, number: int) -> None:
    """What is answered is not kept."""
    answer = await worker.run(version, rows_of(number))
    assert answer.shape == (1, WIDTH)
    assert np.all(answer == number)


def memory_bytes(process: psutil.Process, name: str) -> int:
    status = Path(f"/proc/{process.pid}/status").read_text()
    found = re.search(rf"{name}:\s*(\d+) kB", status)
    assert found is not None
    return 1024 * int(found[1])


@in_event_loop
async def test_all_are_answered_within_a_small_part_of_what_they_take_together(
    tmp_path: Path,
) -> None:
    async with wide(tmp_path) as (harness, version, process):
        await ask(harness.worker, version, 1)
        before = memory_bytes(process, "VmRSS")
        # The warm-up has had its own peak, which is forgotten so.
        Path(f"/proc/{process.pid}/clear_refs").write_text("5")
        await asyncio.gather(*[ask(harness.worker, version, number) for number in range(MANY)])
        assert memory_bytes(process, "VmHWM") - before <= FEW_BYTES


@in_event_loop
async def test_a_process_that_is_killed_amid_them_loses_those_that_have_not_come(
    tmp_path: Path,
) -> None:
    async with wide(tmp_path) as (harness, version, process):
        asked = [asyncio.ensure_future(ask(harness.worker, version, n)) for n in range(MANY)]
        await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        process.kill()
        failed = [each for each in await asyncio.gather(*asked, return_exceptions=True) if each]
        assert failed
        assert all(isinstance(error, ModelLost) for error in failed)
        async with asyncio.timeout(WITHIN_S):
            while isinstance(await harness.worker.try_run(version, rows_of(1)), ModelLost):
                pass
        await ask(harness.worker, version, 1)


@in_event_loop
async def test_a_worker_that_goes_amid_them_leaves_nothing_and_others_get_theirs(
    tmp_path: Path,
) -> None:
    async with wide(tmp_path) as (harness, version, process):
        other = await harness.start_worker(1)
        await ask(other, version, 1)
        before = memory_bytes(process, "VmRSS")
        asked = [asyncio.ensure_future(ask(other, version, n)) for n in range(MANY)]
        await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        await harness.stop_worker(1)
        await asyncio.gather(*asked, return_exceptions=True)
        await ask(harness.worker, version, 2)
        few = before + WIDTH * 4
        await eventually(lambda: memory_bytes(process, "VmRSS") <= few, "their memory is free")
