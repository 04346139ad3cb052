"""Questions over a link, and their answers."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import msgspec
import pytest

from tfaas_core.system.links.link import Answer, Link
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.waiting import eventually


class Question(msgspec.Struct, frozen=True, tag=True):
    call: int
    about: Any = None


class Said(Answer, frozen=True, tag=True):
    text: str


Talk: TypeAlias = Question | Said


class Line:
    """A link on which questions are asked; their numbers, in order."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        self.link: Link[Talk] = Link(ours, Talk, self._received, lambda: None, "the other side")
        self.other: Link[Talk] = Link(theirs, Talk, self._asked, lambda: None, "the test")
        self.numbers: list[int] = []
        self.asked: list[Question] = []

    async def ask(self, about: Any = None) -> asyncio.Task[Any]:
        """A question that was sent, and waits."""
        asking = asyncio.create_task(self.link.ask(self.question, about=about))
        await asyncio.sleep(0)
        return asking

    def question(self, number: int) -> Question:
        self.numbers.append(number)
        return Question(number)

    def _received(self, message: Talk, _descriptors: list[int]) -> None:
        raise AssertionError(f"nobody should have heard {message}")

    def _asked(self, message: Talk, _descriptors: list[int]) -> None:
        assert isinstance(message, Question)
        self.asked.append(message)


@contextmanager
def a_line() -> Iterator[Line]:
    line = Line()
    try:
        yield line
    finally:
        line.link.close()
        line.other.close()


@in_event_loop
async def test_what_the_other_side_answers_goes_to_whoever_asked_and_to_nobody_else() -> None:
    with a_line() as line:
        first, second = await line.ask(), await line.ask()
        await eventually(lambda: len(line.asked) == 2, "both questions are there")
        for question in reversed(line.asked):
            line.other.send(Said(question.call, f"to {question.call}"))
        line.other.send(Said(7, "to nobody"))
        said = [(await asking).text for asking in (first, second)]
        assert said == [f"to {number}" for number in line.numbers]


@in_event_loop
async def test_each_answer_goes_to_whoever_asked() -> None:
    with a_line() as line:
        first, second = await line.ask(), await line.ask()
        line.link.answer(line.numbers[1], "second")
        line.link.answer(line.numbers[0], "first")
        assert (await first, await second) == ("first", "second")


@in_event_loop
async def test_an_error_is_raised_where_the_answer_is_waited_for() -> None:
    with a_line() as line:
        asking = await line.ask()
        line.link.fail(line.numbers[0], ValueError("no"))
        with pytest.raises(ValueError, match="no"):
            await asking


@in_event_loop
async def test_what_a_question_is_about_is_known_while_it_is_waited_for() -> None:
    with a_line() as line:
        asking = await line.ask("weather")
        (number,) = line.numbers
        assert (line.link.about(number), line.link.waited_for()) == ("weather", ["weather"])
        line.link.answer(number, "rain")
        assert (line.link.about(number), line.link.waited_for()) == (None, [])
        assert await asking == "rain"
        assert line.link.about(number) is None


@in_event_loop
async def test_an_answer_that_nobody_waits_for_is_dropped() -> None:
    with a_line() as line:
        asking = await line.ask("weather")
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        (number,) = line.numbers
        assert not line.link.answer(number, "rain")
        line.link.fail(number, ValueError("no"))
        line.link.fail(7, ValueError("never asked"))
        assert line.link.about(number) is None


@in_event_loop
async def test_a_second_answer_changes_nothing() -> None:
    with a_line() as line:
        asking = await line.ask()
        line.link.answer(line.numbers[0], "first")
        line.link.answer(line.numbers[0], "second")
        assert await asking == "first"


@in_event_loop
async def test_the_end_of_the_link_is_told_to_all_who_wait_and_all_who_ask_afterwards() -> None:
    with a_line() as line:
        waiting = [await line.ask() for _ in range(3)]
        line.link.end(lambda: ConnectionError("gone"))
        errors = await asyncio.gather(*waiting, return_exceptions=True)
        assert [repr(error) for error in errors] == ["ConnectionError('gone')"] * 3
        with pytest.raises(ConnectionError, match="gone"):
            await line.link.ask(line.question)
        assert len(line.numbers) == 3


@in_event_loop
async def test_a_question_that_cannot_be_sent_is_not_waited_for() -> None:
    with a_line() as line:
        with pytest.raises(TypeError, match="Question cannot be sent"):
            await line.link.ask(lambda number: Question(number, object()), about="weather")
        assert line.link.waited_for() == []
