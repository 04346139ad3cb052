from __future__ import annotations

import asyncio

import pytest

from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.waiting import eventually, until


def test_one_asks_until_it_is_so() -> None:
    answers = iter([False, False, True])
    until(lambda: next(answers))
    assert list(answers) == []


def test_what_does_not_come_true_is_named() -> None:
    with pytest.raises(AssertionError, match=r"^not within 0\.01 s: the end of the world$"):
        until(lambda: False, 0.01, "the end of the world")


@in_event_loop
async def test_the_event_loop_goes_on_meanwhile() -> None:
    done = asyncio.Event()
    asyncio.get_running_loop().call_soon(done.set)
    await eventually(done.is_set, "the loop turns")
    with pytest.raises(AssertionError, match=r"^not within 0\.01 s: nothing$"):
        await eventually(lambda: False, "nothing", 0.01)
