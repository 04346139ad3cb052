"""A host that does something else than to tell what is loaded there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from tfaas_core.engine.in_front.dialling import FarDoor, HostAwayError
from tfaas_core.engine.in_front.pulse import Pulse
from tfaas_core.engine.statuses import ServableStatus
from tfaas_core.errors import TfaasError
from tfaas_core.testing.loops import in_event_loop

Ask = Callable[[], Coroutine[Any, Any, list[ServableStatus]]]


def answered(ask: Ask, asked: asyncio.Future[str]) -> asyncio.Task[str]:
    pulse = Pulse(FarDoor("10.0.0.1:8090", "token", 0.01), ask, 3600.0)
    return asyncio.create_task(pulse.answered(asked))


@in_event_loop
async def test_its_answer_is_there_at_once_though_it_has_not_told_yet() -> None:
    begun, asked = asyncio.Event(), asyncio.get_running_loop().create_future()

    async def ask() -> list[ServableStatus]:
        begun.set()
        await asyncio.Event().wait()
        return []

    answer = answered(ask, asked)
    await begun.wait()
    asked.set_result("done")
    assert await answer == "done"


@in_event_loop
async def test_that_it_cannot_tell_is_an_answer() -> None:
    asked = asyncio.get_running_loop().create_future()
    times = iter(range(3))

    async def ask() -> list[ServableStatus]:
        if next(times) == 2:
            asked.set_result("done")
        raise TfaasError("the engine failed")

    assert await answered(ask, asked) == "done"


@in_event_loop
async def test_one_that_is_gone_is_not_waited_for() -> None:
    async def ask() -> list[ServableStatus]:
        raise HostAwayError("host 10.0.0.1:8090 is gone")

    with pytest.raises(HostAwayError, match="is gone"):
        await answered(ask, asyncio.get_running_loop().create_future())
