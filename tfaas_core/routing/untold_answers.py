"""UntoldAnswers: the answers that observers are soon told of, many together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from tfaas_core.observer import TOLD_WITHIN_S, Outcome

MOST_UNTOLD = 64
LARGE_BYTES = 1 << 15
"""An answer of so many bytes, with those of its request, is told at the end of its turn."""


class UntoldAnswers:
    """``tell`` gets all ``outcomes``, ``TOLD_WITHIN_S`` after the first of them.

    Whoever appends one by itself does what ``add`` does: before the first one ``begin``, which
    calls ``announce``, and ``hurry`` after a large one, or the last of ``MOST_UNTOLD``. Telling
    takes little time for each of many, but much for a lone one: by the next request, what it needs
    is no longer in the caches.
    """

    __slots__ = ("_announce", "_tell", "_timer", "outcomes")

    def __init__(
        self, tell: Callable[[Sequence[Outcome]], None], announce: Callable[[], None]
    ) -> None:
        self._tell = tell
        self._announce = announce
        self._timer: asyncio.TimerHandle | None = None
        self.outcomes: list[Outcome] = []

    def add(self, outcome: Outcome) -> None:
        """One more. Called in the event loop."""
        if not self.outcomes:
            self.begin()
        self.outcomes.append(outcome)
        size_bytes = outcome.answer_bytes + len(outcome.request.body)
        if len(self.outcomes) == MOST_UNTOLD or size_bytes >= LARGE_BYTES:
            self.hurry()

    def begin(self) -> None:
        """Called in the event loop."""
        self._announce()
        self._timer = asyncio.get_running_loop().call_later(TOLD_WITHIN_S, self.tell)

    def hurry(self) -> None:
        """Has them told at the end of this turn of the event loop."""
        asyncio.get_running_loop().call_soon(self.tell)

    def tell(self) -> None:
        """Tells of them now, if there are any."""
        if not self.outcomes:
            return
        if self._timer is not None:
            self._timer.cancel()
        outcomes = self.outcomes.copy()
        self.outcomes.clear()
        self._tell(outcomes)
