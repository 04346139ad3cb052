"""Calls: questions that are asked over a link, and who waits for their answers."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

import msgspec


class _Call(msgspec.Struct, frozen=True):
    answer: asyncio.Future[Any]
    about: Any


class Calls:
    """The questions of one side of a link, by their numbers. All methods belong to the event loop.

    Where nobody waits for an answer any more, it is dropped.
    """

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._calls: dict[int, _Call] = {}
        self._error: Callable[[], Exception] | None = None

    async def ask(self, send: Callable[[int], object], about: Any = None) -> Any:
        """Has ``send`` send a question under a new number; returns its answer, or raises that.

        ``about`` is what ``about`` tells of it while it is waited for.
        """
        if self._error is not None:
            raise self._error()
        number = next(self._numbers)
        call = self._calls[number] = _Call(asyncio.get_running_loop().create_future(), about)
        try:
            send(number)
            return await call.answer
        finally:
            del self._calls[number]

    def about(self, number: int) -> Any:
        """What a question is about; None if nobody waits for its answer."""
        call = self._waiting(number)
        return None if call is None else call.about

    def waited_for(self) -> list[Any]:
        """What all questions are about whose answers are waited for, the oldest first."""
        return [call.about for call in self._calls.values() if not call.answer.done()]

    def answer(self, number: int, answer: Any) -> None:
        """Hands the answer to whoever waits for it."""
        call = self._waiting(number)
        if call is not None:
            call.answer.set_result(answer)

    def fail(self, number: int, error: Exception) -> None:
        """Has ``error`` raised where the answer is waited for."""
        call = self._waiting(number)
        if call is not None:
            call.answer.set_exception(error)

    def end(self, error: Callable[[], Exception]) -> None:
        """The link is gone: whoever waits gets an error, and so does whoever asks from now on."""
        self._error = error
        for number in list(self._calls):
            self.fail(number, error())

    def _waiting(self, number: int) -> _Call | None:
        call = self._calls.get(number)
        return None if call is None or call.answer.done() else call
