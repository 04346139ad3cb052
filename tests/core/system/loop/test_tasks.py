from __future__ import annotations

import asyncio
import gc
import logging

import pytest

from tfaas_core.system.loop.tasks import Tasks
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.waiting import eventually

LOG = logging.getLogger("tfaas.test")


@in_event_loop
async def test_a_task_that_nobody_else_knows_is_kept_until_it_ends() -> None:
    done: list[str] = []

    async def work() -> None:
        # Nothing but the task itself refers to the future.
        asyncio.get_running_loop().call_soon((future := asyncio.Future[None]()).set_result, None)
        await future
        done.append("done")

    tasks = Tasks(LOG)
    tasks.spawn(work())
    gc.collect()
    await eventually(lambda: done == ["done"], "the work is done")


@in_event_loop
async def test_what_a_task_raises_is_logged_with_its_name(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def looking_around() -> None:
        raise KeyError("nothing there")

    Tasks(LOG).spawn(looking_around())
    await eventually(lambda: bool(caplog.records), "the failure is logged")
    (record,) = caplog.records
    assert record.name == "tfaas.test"
    assert "looking_around has failed" in record.getMessage()
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], KeyError)


@in_event_loop
async def test_at_the_end_all_are_cancelled_and_over(caplog: pytest.LogCaptureFixture) -> None:
    ended: list[int] = []

    async def work(number: int) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append(number)

    tasks = Tasks(LOG)
    for number in range(3):
        tasks.spawn(work(number))
    await asyncio.sleep(0)
    await tasks.cancel()
    assert sorted(ended) == [0, 1, 2]
    tasks.spawn(work(3))
    await tasks.cancel()
    assert len(ended) == 3
    assert caplog.records == []
