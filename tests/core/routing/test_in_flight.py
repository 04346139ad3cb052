"""InFlight: an answer that is there already is sent, and what it lacks is owed."""

from __future__ import annotations

import asyncio

import pytest

from tfaas_core.errors import Unavailable
from tfaas_core.routing.in_flight import InFlight
from tfaas_core.testing.loops import in_event_loop


def test_what_is_owed_is_paid_before_others_have_room() -> None:
    in_flight = InFlight(100)
    with in_flight.held(60):
        with in_flight.kept(70):
            assert in_flight.left == 0
            in_flight.check_room(0)  # a request without a body takes none
            with pytest.raises(Unavailable):
                in_flight.check_room(1)
        assert in_flight.left == 40
        in_flight.take(70)
    assert in_flight.left == 30
    in_flight.give_back(70)
    assert in_flight.left == 100


@in_event_loop
async def test_answers_without_room_are_written_one_at_a_time() -> None:
    in_flight, at_once, most_at_once = InFlight(100), 0, 0

    async def write(size: int) -> None:
        nonlocal at_once, most_at_once
        async with in_flight.writing(size):
            at_once += size
            most_at_once = max(at_once, most_at_once)
            await asyncio.sleep(0)
            at_once -= size

    with in_flight.held(60):
        await asyncio.gather(*[write(50) for _ in range(5)], write(30))
    assert most_at_once == 50
    assert in_flight.left == 100
