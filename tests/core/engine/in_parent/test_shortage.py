"""What the pool answers where there are no more descriptors, and that it goes on afterwards."""

from __future__ import annotations

import asyncio
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.core.engine.engines import engine, healed
from tfaas_core.errors import ModelLost, Unavailable
from tfaas_core.testing.engine_harness import is_sum, rows_of
from tfaas_core.testing.forked import fork_server, model_processes
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.waiting import eventually

MOST_SPARE = 12
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


def limit_files(process: psutil.Process, spare: int, for_good: bool = False) -> None:
    """It may open so many; ``for_good``: it cannot change that by itself."""
    _soft, hard = process.rlimit(psutil.RLIMIT_NOFILE)
    taken = {int(path.name) for path in Path(f"/proc/{process.pid}/fd").iterdir()}
    free = [number for number in range(len(taken) + spare + 1) if number not in taken]
    process.rlimit(psutil.RLIMIT_NOFILE, (free[spare], free[spare] if for_good else hard))


@in_event_loop
async def test_what_a_fork_server_may_open_at_the_moment_binds_no_model(tmp_path: Path) -> None:
    async with engine(tmp_path) as harness:
        await harness.worker.upload("first", "sum")
        server = fork_server()
        assert server is not None
        for spare in (0, 1):
            limit_files(server, spare)
            with pytest.raises(Unavailable, match="too many files are open in the fork server"):
                await harness.worker.prepare("vk", "sum")
        limit_files(server, 2)
        version = await harness.worker.upload("vk", "sum")
        assert is_sum(await harness.worker.run(version, rows_of(1)), rows_of(1))


@in_event_loop
async def test_a_process_that_ends_before_it_loads_the_model_is_not_the_models_fault(
    tmp_path: Path,
) -> None:
    async with engine(tmp_path) as harness:
        await harness.worker.upload("first", "sum")
        server = fork_server()
        assert server is not None
        limit_files(server, 2, for_good=True)
        with pytest.raises(Unavailable, match="ended with exit code 1 before it loaded it; try"):
            await harness.worker.prepare("vk", "sum")


@pytest.mark.parametrize("isolation", ["model", "shared"])
@in_event_loop
async def test_whoever_asks_without_descriptors_may_try_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, isolation: str
) -> None:
    """However far a load comes until there are no more."""
    # A process that keeps dying starts later each time.
    monkeypatch.setattr("tfaas_core.system.lives.backoff._MOST_S", 0.05)
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
            await healed(worker, version)
    refused = [answer for answer in outcomes if isinstance(answer, Exception)]
    assert {type(error) for error in refused} <= {Unavailable, ModelLost}
    assert "Too many open files; try again" in str(refused[0])
    assert is_sum(outcomes[-1], rows_of(1))
