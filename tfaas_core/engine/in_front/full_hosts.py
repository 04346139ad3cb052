"""FullHosts: which hosts have said that they have no room for which models."""

from __future__ import annotations

import time
from collections.abc import Collection

from tfaas_core.engine.in_front.host_engine import HostEngine

_MOST_MODELS = 10_000


class FullHosts:
    """For ``calm_s``, they are not asked again: what they say may have changed by then."""

    def __init__(self, calm_s: float) -> None:
        self._calm_s = calm_s
        self._told: dict[str, dict[HostEngine, float]] = {}

    def add(self, name: str, engine: HostEngine) -> None:
        """It has said so of this model."""
        self._told.setdefault(name, {})[engine] = time.monotonic()
        if len(self._told) > _MOST_MODELS:
            del self._told[next(iter(self._told))]

    def for_model(self, name: str) -> Collection[HostEngine | None]:
        """Those that have no room for it."""
        told = self._told.get(name)
        if told is None:
            return ()
        since_s = time.monotonic() - self._calm_s
        for engine, told_s in list(told.items()):
            if told_s < since_s or engine.ended.is_set():
                del told[engine]
        if not told:
            del self._told[name]
        return told.keys()
