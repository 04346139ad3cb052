"""The list of models, if there are many, or if much is said of each."""

from __future__ import annotations

import asyncio
import itertools

import msgspec
from tfaas_plugins.routes.models import ModelsApi

from tfaas_core.tensors import Array
from tfaas_core.testing.fake_request import FakeLane, FakeRequest
from tfaas_core.testing.function_servable import FunctionServable
from tfaas_core.testing.hosts import FakeModel, host_of
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


@in_event_loop
async def test_a_long_list_is_not_in_memory_as_a_whole() -> None:
    said = {"description": "x" * (1 << 20)}
    models = {f"m{number}": FakeModel(FunctionServable(same), said) for number in range(5)}
    async with host_of(models=models) as host:
        answer = await ModelsApi(host).list(FakeRequest.of("GET", "/models"))
        assert answer.stream is not None
        pieces = [piece async for piece in answer.stream]
    assert max(map(len, pieces)) < 2 << 20
    listed = msgspec.json.decode(b"".join(pieces))
    assert [record["name"] for record in listed] == list(models)
