"""What waits to be sent to a model is there twice, as body and as frame, and so it counts."""

from __future__ import annotations

import asyncio

import pytest
import uvloop

from tests.core.engine.in_worker.test_connection import answering, connected
from tfaas_core.errors import ModelLost
from tfaas_core.routing.in_flight import InFlight
from tfaas_core.testing.engine_harness import is_sum, rows_of
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.waiting import eventually

ROOM = 1 << 24
SOCKET_BYTES = 1 << 19
"""What the system may have taken at once."""

LARGE = rows_of(*range(100_000))


class TestCopies:
    loop_factory = uvloop.new_event_loop

    @in_event_loop
    async def test_large_requests_count_until_they_are_sent(self) -> None:
        in_flight = InFlight(ROOM)
        async with connected(in_flight=in_flight) as (connection, model):
            asked = []
            for number in range(1, 6):
                asked.append(connection.submit([LARGE], len(LARGE)))
                await asyncio.sleep(0)  # the turn in which it is sent
                taken = ROOM - in_flight.left
                assert -SOCKET_BYTES < taken - number * LARGE.nbytes < number * 1000
            async with answering(model):
                for each in asked:
                    assert is_sum((await each)[0], LARGE)
            assert in_flight.left == ROOM

    @in_event_loop
    async def test_they_are_sent_though_they_take_all_the_room(self) -> None:
        in_flight = InFlight(2 * LARGE.nbytes)
        async with connected(in_flight=in_flight) as (connection, model):
            asked = [connection.submit([LARGE], len(LARGE)) for _ in range(4)]
            await asyncio.sleep(0)
            assert in_flight.left == 0
            async with answering(model):
                for each in asked:
                    assert is_sum((await each)[0], LARGE)
            del asked, each  # with the answers, which count, too
            await eventually(lambda: in_flight.left == 2 * LARGE.nbytes, "all of it is given back")

    @in_event_loop
    async def test_they_count_no_more_once_the_model_is_lost(self) -> None:
        in_flight = InFlight(ROOM)
        async with connected(in_flight=in_flight) as (connection, model):
            asked = connection.submit([LARGE], len(LARGE))
            await asyncio.sleep(0)
            assert in_flight.left < ROOM
            model.close()
            with pytest.raises(ModelLost):
                await asked
            await eventually(lambda: in_flight.left == ROOM, "all of it is given back")

    @in_event_loop
    async def test_small_ones_do_not_count(self) -> None:
        in_flight = InFlight(ROOM)
        async with connected(in_flight=in_flight) as (connection, model):
            asked = [connection.submit([rows_of(number)], 1) for number in range(100)]
            await asyncio.sleep(0)
            assert in_flight.left == ROOM
            async with answering(model):
                for number, each in enumerate(asked):
                    assert is_sum((await each)[0], rows_of(number))
