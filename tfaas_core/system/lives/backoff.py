"""Backoff: how long to wait before starting again what keeps dying."""

from __future__ import annotations

import time
from typing import Any

_FIRST_S = 0.05
_MOST_S = 1.0
_CALM_S = 10.0
"""After so long without a death, the next one counts as the first."""


def restart_delay_s(quick_deaths: int) -> float:
    """Nothing after the first death, then 0.05 s, twice as much each time, and 1 s at most.

    ``quick_deaths`` counts the deaths before this one that came soon after a start.
    """
    if quick_deaths <= 0:
        return 0.0
    return min(_FIRST_S * 2.0 ** min(quick_deaths - 1, 10), _MOST_S)


class Backoff:
    """Remembers what died lately, by keys of any kind."""

    def __init__(self) -> None:
        self._deaths: dict[Any, tuple[int, float]] = {}

    def died(self, key: Any) -> None:
        """Counts a death."""
        now_s = time.monotonic()
        # What is long over is forgotten, so that this does not grow.
        recent = {k: d for k, d in self._deaths.items() if now_s - d[1] < _CALM_S}
        count, _last_s = recent.get(key, (0, 0.0))
        recent[key] = (count + 1, now_s)
        self._deaths = recent

    def delay_s(self, key: Any) -> float:
        """How long to wait before the next start."""
        count, last_s = self._deaths.get(key, (0, 0.0))
        return restart_delay_s(count - 1) if time.monotonic() - last_s < _CALM_S else 0.0
