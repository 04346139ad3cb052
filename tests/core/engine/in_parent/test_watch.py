"""That an idle servable is left alone is seen by looking often, without waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tfaas_core.engine.base import Candidate, Loaded
from tfaas_core.engine.in_parent.seat import Seat
from tfaas_core.engine.in_parent.settings import PoolSettings
from tfaas_core.engine.in_parent.watch import INTERVAL_S, Watch
from tfaas_core.engine.shared.messages import Turn
from tfaas_core.engine.shared.meter import Meter
from tfaas_core.runtime import LoadOptions
from tfaas_core.testing.runtime import SIGNATURE

LOOKS = 40
SETTINGS = PoolSettings(1, False, 1, 0, LoadOptions(), run_limit_s=LOOKS * INTERVAL_S)


class Process:
    """As a seat has it: it answers a Turn, or does not."""

    can_be_killed = True

    def __init__(self, on_turn: Callable[[], None]) -> None:
        self.link = self
        self.killed = False
        self._on_turn = on_turn

    def send(self, message: Any) -> None:
        assert message == Turn(7)
        self._on_turn()

    def kill(self) -> None:
        self.killed = True


@pytest.fixture
def meter() -> Iterator[Meter]:
    meter = Meter.create(1)
    yield meter
    meter.close()


def is_killed(meter: Meter, on_turn: Callable[[], None], leaving: bool = False) -> bool:
    """Whether a process is, within three times as many looks as it may be silent."""

    async def look() -> bool:
        loaded: asyncio.Future[Loaded] = asyncio.get_running_loop().create_future()
        loaded.set_result(Loaded(7, SIGNATURE, True))
        process: Any = Process(on_turn)
        seat = Seat(7, Candidate("vk", "", "fake", "", {}), meter, loaded, leaving=leaving)
        seat.process = process
        watch = Watch(SETTINGS)
        for _look in range(3 * LOOKS):
            watch.look_at(seat)
        return bool(process.killed)

    return asyncio.run(look())


def test_one_that_nobody_asks_may_be_silent(meter: Meter) -> None:
    assert not is_killed(meter, lambda: None)


def test_one_that_is_asked_may_not(meter: Meter) -> None:
    meter.add(0, 1)
    assert is_killed(meter, lambda: None)


def test_one_that_shows_that_it_turns_is_not_to_blame(meter: Meter) -> None:
    meter.add(0, 1)
    assert not is_killed(meter, meter.turns)


def test_one_that_is_to_leave_has_to_turn(meter: Meter) -> None:
    assert is_killed(meter, lambda: None, leaving=True)
    assert not is_killed(meter, meter.turns, leaving=True)
