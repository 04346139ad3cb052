"""Which calls end whose messages do not begin to come."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, cast

import pytest
from tfaas_plugins.grpc_server.arrivals import Arrivals
from tfaas_plugins.grpc_server.messages import Messages

from tests.plugins.grpc_server.test_messages import BEGUN, DATA, LEAST, MANY, frame
from tfaas_core.errors import HttpRefused

CALLS = 5
BEGINS = (99_999).to_bytes(5, "big")


class Link:
    """A connection whose client has been idle, and then begins a message of one of its calls."""

    waits = True

    def __init__(self) -> None:
        self.messages = Messages()
        self.messages.came(BEGUN)
        for _ in range(MANY):
            assert not self.messages.look(LEAST)
        self.messages.came(frame(DATA, 1, BEGINS))


async def refused(bytes_in_each_look: int) -> list[HttpRefused]:
    """Why calls ended, of ``CALLS`` that have waited for long."""
    link, never = Link(), asyncio.Event()
    arrivals = Arrivals(CALLS, cast("Any", None), cast("Any", None))

    def message() -> Awaitable[Any]:
        return arrivals.message(never.wait, cast("Any", link), must_come=True)

    async with asyncio.TaskGroup() as tasks:
        calls = [tasks.create_task(_error_of(message())) for _ in range(CALLS)]
        await asyncio.sleep(0)
        for _ in range(MANY):
            link.messages.came(frame(DATA, 1, bytes(bytes_in_each_look)))
            assert not link.messages.look(LEAST)
            arrivals.refuse_silent(LEAST, lambda: HttpRefused("it did not begin to come", 408))
            await asyncio.sleep(0)
        never.set()
    return [error for call in calls if (error := call.result()) is not None]


async def _error_of(message: Awaitable[Any]) -> HttpRefused | None:
    try:
        await message
    except HttpRefused as error:
        return error
    return None


@pytest.mark.parametrize(("bytes_in_each_look", "left"), [(6, 1), (16, 3), (24, 4), (25, CALLS)])
def test_as_many_may_wait_for_their_turn_as_the_link_is_quick_enough_for(
    bytes_in_each_look: int, left: int
) -> None:
    errors = asyncio.run(refused(bytes_in_each_look))
    assert len(errors) == CALLS - left
    # Each has gone through frames of its own, and keeps them.
    assert len({id(error) for error in errors}) == len(errors)
