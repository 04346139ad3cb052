from __future__ import annotations

import asyncio
import time

from tfaas_core.engine.scheduling.rest import Rest
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.waiting import eventually


class Workplace:
    """Where a rest is needed or not; it counts how often that was asked."""

    def __init__(self, is_needed: bool) -> None:
        self.asked = 0
        self._is_needed = is_needed

    def __call__(self) -> bool:
        self.asked += 1
        return self._is_needed


@in_event_loop
async def test_it_looks_again_and_again_whether_a_rest_is_needed() -> None:
    workplace = Workplace(is_needed=False)
    rest = Rest(workplace)
    rest.start()
    await eventually(lambda: workplace.asked == 3, "it looks three times")
    rest.stop()


@in_event_loop
async def test_one_that_is_stopped_looks_no_more() -> None:
    workplace = Workplace(is_needed=False)
    rest = Rest(workplace)
    rest.start()
    rest.stop()
    later = asyncio.Event()
    asyncio.get_running_loop().call_later(0.25, later.set)
    await later.wait()
    assert workplace.asked == 1


@in_event_loop
async def test_a_rest_leaves_the_core_alone() -> None:
    begin_s, busy_s = time.monotonic(), time.process_time()
    rest = Rest(Workplace(is_needed=True))
    rest.start()
    rest.stop()
    assert time.monotonic() - begin_s > 0.015
    assert time.process_time() - busy_s < 0.015


@in_event_loop
async def test_one_that_never_started_can_be_stopped() -> None:
    Rest(Workplace(is_needed=True)).stop()
