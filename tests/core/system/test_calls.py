from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tfaas_core.system.calls import Calls
from tfaas_core.testing.loops import in_event_loop


class Line:
    """Where questions go; their numbers, in order."""

    def __init__(self) -> None:
        self.calls = Calls()
        self.numbers: list[int] = []

    async def ask(self, about: Any = None) -> asyncio.Task[Any]:
        """A question that was sent, and waits."""
        asking = asyncio.create_task(self.calls.ask(self.numbers.append, about))
        await asyncio.sleep(0)
        return asking


@in_event_loop
async def test_each_answer_goes_to_whoever_asked() -> None:
    line = Line()
    first, second = await line.ask(), await line.ask()
    line.calls.answer(line.numbers[1], "second")
    line.calls.answer(line.numbers[0], "first")
    assert (await first, await second) == ("first", "second")


@in_event_loop
async def test_an_error_is_raised_where_the_answer_is_waited_for() -> None:
    line = Line()
    asking = await line.ask()
    line.calls.fail(line.numbers[0], ValueError("no"))
    with pytest.raises(ValueError, match="no"):
        await asking


@in_event_loop
async def test_what_a_question_is_about_is_known_while_it_is_waited_for() -> None:
    line = Line()
    asking = await line.ask("weather")
    (number,) = line.numbers
    assert (line.calls.about(number), line.calls.waited_for()) == ("weather", ["weather"])
    line.calls.answer(number, "rain")
    assert (line.calls.about(number), line.calls.waited_for()) == (None, [])
    assert await asking == "rain"
    assert line.calls.about(number) is None


@in_event_loop
async def test_an_answer_that_nobody_waits_for_is_dropped() -> None:
    line = Line()
    asking = await line.ask("weather")
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    (number,) = line.numbers
    line.calls.answer(number, "rain")
    line.calls.fail(number, ValueError("no"))
    line.calls.fail(7, ValueError("never asked"))
    assert line.calls.about(number) is None


@in_event_loop
async def test_a_second_answer_changes_nothing() -> None:
    line = Line()
    asking = await line.ask()
    line.calls.answer(line.numbers[0], "first")
    line.calls.answer(line.numbers[0], "second")
    assert await asking == "first"


@in_event_loop
async def test_the_end_of_the_link_is_told_to_all_who_wait_and_all_who_ask_afterwards() -> None:
    line = Line()
    waiting = [await line.ask() for _ in range(3)]
    line.calls.end(lambda: ConnectionError("gone"))
    errors = await asyncio.gather(*waiting, return_exceptions=True)
    assert [repr(error) for error in errors] == ["ConnectionError('gone')"] * 3
    with pytest.raises(ConnectionError, match="gone"):
        await line.calls.ask(line.numbers.append)
    assert len(line.numbers) == 3


@in_event_loop
async def test_a_question_that_cannot_be_sent_is_not_waited_for() -> None:
    def send(_number: int) -> None:
        raise OSError("no socket")

    with pytest.raises(OSError, match="no socket"):
        await Calls().ask(send)
