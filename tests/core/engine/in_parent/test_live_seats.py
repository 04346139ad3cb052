"""Which seats are live, and which go first if there are too many."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tfaas_core.engine.base import Candidate, Loaded
from tfaas_core.engine.in_parent.live_seats import LiveSeats
from tfaas_core.engine.in_parent.seat import Seat
from tfaas_core.engine.shared.meter import Meter
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.runtime import SIGNATURE


class Shop:
    """Seats for versions; each is used after the ones before."""

    def __init__(self) -> None:
        self.meter = Meter.create(1)
        self.seats: dict[int, Seat] = {}
        self.live = LiveSeats(self.seats)

    def seat(self, key: str, is_loaded: bool = True) -> Seat:
        ticket = len(self.seats) + 1
        loaded: asyncio.Future[Loaded] = asyncio.get_running_loop().create_future()
        seat = Seat(ticket, Candidate(key, key, "fake", "", {}), self.meter, loaded)
        if is_loaded:
            loaded.set_result(Loaded(ticket, SIGNATURE, mergeable=True))
            seat.born_s = float(ticket)
        self.seats[ticket] = seat
        return seat


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop()
    yield shop
    shop.meter.close()


@in_event_loop
async def test_further_seats_make_room_before_others_even_if_they_are_loading(shop: Shop) -> None:
    old, new = shop.seat("old"), shop.seat("new")
    for seat in (old, new):
        shop.live.add(seat)
    beside, loading = shop.seat("old"), shop.seat("new", is_loaded=False)
    newest = shop.seat("newest", is_loaded=False)
    shop.live.add(newest)
    for most, gone in ((5, []), (4, [loading]), (3, [loading, beside])):
        assert shop.live.beyond(most, newest) == gone
    assert shop.live.beyond(2, newest) == [loading, beside, old]
    # One that has been loaded meanwhile takes nobody's room.
    assert shop.live.beyond(4, beside) == [loading]
    assert shop.live.beyond(1, newest) == [loading, beside, old, new]


@in_event_loop
async def test_uploads_that_are_examined_and_the_newcomer_stay(shop: Shop) -> None:
    prepared, other = shop.seat(""), shop.seat("other")
    prepared.owner = 0
    shop.live.add(other)
    assert shop.live.beyond(1, other) == []
    newcomer = shop.seat("newcomer", is_loaded=False)
    shop.live.add(newcomer)
    assert shop.live.beyond(1, newcomer) == [other]


@in_event_loop
async def test_one_that_is_being_loaded_takes_the_place_of_the_last_one_that_was_live(
    shop: Shop,
) -> None:
    live, loading = shop.seat("vk"), shop.seat("vk", is_loaded=False)
    shop.live.add(live)
    shop.live.remove(live)
    assert shop.live.get("vk") is loading
    del shop.seats[live.ticket]
    shop.live.remove(loading)
    assert "vk" not in shop.live
