"""Visit: one request on its way to a model: what is known of it, and who lets it pass."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import msgspec

from tfaas_core.errors import Forbidden
from tfaas_core.quick_writes import quick_to_write
from tfaas_core.steps import Step

Gate: TypeAlias = Callable[[str], Awaitable[None] | None]
"""Asks whether a request may go to a model. It raises if not: at once, or once what it gives was
awaited, if it gives anything."""


class Timing(msgspec.Struct):
    """How long a request was with its model, in seconds; None until it is answered.

    ``wait_s``: for other runs, and on the way to the model's process and back. ``run_s``: in the
    run that answered it, which it may have shared. ``run_rows``: the rows of that run, if this
    request is the one of all in there that stands for it, so that runs can be counted.
    """

    wait_s: float | None = None
    run_s: float | None = None
    run_rows: int | None = None


@quick_to_write
class Visit(Timing, gc=False):
    """Observers are told what is in here. A handler that predicts in its own way may write it."""

    begin_s: float = 0.0
    """When the request came, by ``time.monotonic``."""
    identity: str = ""
    codec: str = ""
    model: str = ""
    version: int | None = None
    rows: int | None = None
    request_id: str = ""
    """Empty until somebody has to know it."""
    steps: list[Step] | None = None
    """What it has gone through, if an observer follows it: see ``Observer.begun``."""
    since_s: float = 0.0
    """Of a request that is followed, when the step began that it is in; 0 if it is in none."""
    gate: Gate | None = None
    """Asks whether the request may go to a model; None: to all of them."""
    is_admitted: bool = False
    """Whether guards were asked about the request: what goes on with it need not ask again."""
    waiting: Awaitable[None] | None = None
    """What is to be awaited first, if a guard that was asked has to wait."""

    def begins_step(self) -> None:
        """A step of a request that is followed begins."""
        self.since_s = time.monotonic()

    def ends_step(self, name: str) -> None:
        """The step that it is in, if it is in one, ends, and was that of this name."""
        if self.since_s and self.steps is not None:
            self.steps.append(Step(name, self.since_s, time.monotonic()))
        self.since_s = 0.0

    def goes_to(self, name: str) -> Awaitable[None] | None:
        """Takes note of where the request goes, and asks the guards whether it may.

        If one of them has to wait, all have allowed it once what this gives was awaited. Raises
        what they raise, such as Forbidden.
        """
        self.model = name
        return None if self.gate is None else self.gate(name)

    async def may_see(self, name: str) -> bool:
        """Whether the guards would let the request go to a model that it shows among others.

        Raises what they raise but Forbidden.
        """
        try:
            waiting = None if self.gate is None else self.gate(name)
            if waiting is not None:
                await waiting
        except Forbidden:
            return False
        return True

    async def to_model(self, name: str) -> None:
        """As ``goes_to``, until all have allowed it."""
        waiting = self.goes_to(name)
        if waiting is not None:
            await waiting
