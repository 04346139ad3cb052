"""TurnAnswers: the answers of one turn of the event loop, which observers are told together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from tfaas_core.observer import Outcome


class TurnAnswers:
    """``tell`` gets all ``outcomes`` at the end of the turn. Whoever appends the first one calls
    ``begin``."""

    __slots__ = ("_tell", "outcomes")

    def __init__(self, tell: Callable[[Sequence[Outcome]], None]) -> None:
        self._tell = tell
        self.outcomes: list[Outcome] = []

    def begin(self) -> None:
        """Called in the event loop whose turn it is."""
        asyncio.get_running_loop().call_soon(self._end)

    def _end(self) -> None:
        outcomes = self.outcomes.copy()
        self.outcomes.clear()
        self._tell(outcomes)
