"""KnownFitness: what an HTTP worker knows of how the server is."""

from __future__ import annotations

import time

import msgspec

from tfaas_core.status import Fitness

_OLD_S = 10.0
"""The parent tells it once a second."""


class KnownFitness:
    """Keeps what the parent told last, for as long as that holds."""

    def __init__(self) -> None:
        self._last = Fitness(has_started=False)
        self._told_s = time.monotonic()
        self._is_leaving = False

    def told(self, fitness: Fitness) -> None:
        """The parent has told it."""
        self._last, self._told_s = fitness, time.monotonic()

    def leaving(self) -> None:
        """This worker was told to end."""
        self._is_leaving = True

    def now(self) -> Fitness:
        """As it is known."""
        last = self._last
        if self._is_leaving:
            last = msgspec.structs.replace(last, is_leaving=True)
        if time.monotonic() > self._told_s + _OLD_S:
            return msgspec.structs.replace(last, fault="the parent process does not answer")
        return last
