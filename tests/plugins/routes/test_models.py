"""The list of models, if there are many."""

from __future__ import annotations

import asyncio
import itertools

from tfaas_core.tensors import Array
from tfaas_core.testing.fake_request import FakeLane, FakeRequest
from tfaas_core.testing.hosts import host_of
from tfaas_core.testing.loops import in_event_loop

MANY = 300


@in_event_loop
async def test_others_have_their_turn_while_many_models_are_listed() -> None:
    assert await turns_of_others(MANY) > await turns_of_others(1)


async def turns_of_others(count: int) -> int:
    """How often another task had its turn while so many models were listed."""
    turns = itertools.count()

    async def other() -> None:
        for _ in turns:
            await asyncio.sleep(0)

    async with host_of(models={f"m{number}": same for number in range(count)}) as host:
        lane, task = FakeLane(host), asyncio.create_task(other())
        answer = await lane.answer(FakeRequest.of("GET", "/models"))
        task.cancel()
    assert answer.body.count(b'"checksum"') == count
    return next(turns)


def same(rows: Array) -> Array:
    return rows
