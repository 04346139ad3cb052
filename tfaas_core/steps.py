"""Steps: what a request has gone through, and when, if somebody follows it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar

import msgspec


class Step(msgspec.Struct, frozen=True):
    """Times are by ``time.monotonic``."""

    name: str
    begin_s: float
    end_s: float


_followed: ContextVar[list[Step] | None] = ContextVar("tfaas_steps", default=None)


@contextmanager
def following(steps: list[Step] | None) -> Iterator[None]:
    """What the block, and the tasks that it starts, go through by ``step`` is added to ``steps``.

    None: nobody wants to know.
    """
    token = _followed.set(steps)
    try:
        yield
    finally:
        _followed.reset(token)


def step(name: str) -> AbstractContextManager[None]:
    """The block is a step of what is followed, if anything is, whatever becomes of it."""
    steps = _followed.get()
    return nullcontext() if steps is None else _timed(name, steps)


@contextmanager
def _timed(name: str, steps: list[Step]) -> Iterator[None]:
    begin_s = time.monotonic()
    try:
        yield
    finally:
        steps.append(Step(name, begin_s, time.monotonic()))
