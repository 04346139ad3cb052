"""Guard wait: for how long a request waits for a guard that has to wait for something."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import msgspec

GUARD_LIMIT_S = 10.0
"""For each answer."""


class GuardHangsError(Exception):
    """It has not answered in time, and is cancelled."""


class _Answer(msgspec.Struct, frozen=True):
    said: Any = None
    error: BaseException | None = None


async def answer_of(waiting: Awaitable[Any], limit_s: float | None = None) -> Any:
    """What ``waiting``, which is a guard's, gives or raises. Raises GuardHangsError.

    It is awaited in a task of its own: one that heeds no cancellation holds nobody. ``limit_s``:
    None for the usual one.
    """
    loop = asyncio.get_running_loop()
    over = loop.create_future()

    def end(_task: object = None) -> None:
        if not over.done():
            over.set_result(None)

    task = loop.create_task(_answer(waiting))
    task.add_done_callback(end)
    limit_s = limit_s or GUARD_LIMIT_S
    timer = loop.call_later(limit_s, end)
    try:
        await over
    finally:
        timer.cancel()
        if not task.done():
            task.cancel()
    if not task.done():
        raise GuardHangsError(f"no answer within {limit_s:g} s")
    answer = task.result()
    if answer.error is not None:
        raise answer.error
    return answer.said


async def _answer(waiting: Awaitable[Any]) -> _Answer:
    try:
        return _Answer(await waiting)
    except BaseException as error:  # its exit() ends no event loop
        return _Answer(error=error)
