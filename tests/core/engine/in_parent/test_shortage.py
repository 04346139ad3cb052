"""What the pool answers where there are no more descriptors, and that it goes on afterwards."""

from __future__ import annotations

import asyncio
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.core.engine.engines import engine, healed
from tfaas_core.errors import ModelLost, Unavailable
from tfaas_core.testing.engine_harness import is_sum, rows_of
from tfaas_core.testing.forked import model_processes
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.waiting import eventually

MOST_SPARE = 9
"""A load takes fewer descriptors than that."""


@contextmanager
def few_files(spare: int) -> Iterator[None]:
    """This process may open so many in the block."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = [os.dup(0) for _ in range(spare + 1)]
    for each in free:
        os.close(each)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free[-1], hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("isolation", ["model", "shared"])
@in_event_loop
async def test_whoever_asks_without_descriptors_may_try_again(
    tmp_path: Path, isolation: str
) -> None:
    """However far a load comes until there are no more."""
    async with engine(tmp_path, f"engine.isolation={isolation}") as harness:
        worker = harness.worker
        version = await worker.upload("vk", "sum")
        # What is imported late needs descriptors, too.
        await asyncio.to_thread(bool)
        outcomes = []
        for spare in range(MOST_SPARE):
            (process,) = model_processes()
            process.kill()
            await eventually(lambda: not model_processes(), "the process is gone")
            await eventually(lambda: not worker.engine.uses(version), "that is known")
            with few_files(spare):
                answer = await worker.try_run(version, rows_of(1))
            outcomes.append(answer)
            await asyncio.wait_for(healed(worker, version), 10)
    refused = [answer for answer in outcomes if isinstance(answer, Exception)]
    assert {type(error) for error in refused} <= {Unavailable, ModelLost}
    assert "Too many open files; try again" in str(refused[0])
    assert is_sum(outcomes[-1], rows_of(1))
