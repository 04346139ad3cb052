"""Figures: how much the server has had to do, in all and in the last minute."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfaas_core.shared_memory import SharedMemory
from tfaas_plugins.metrics import families as f
from tfaas_plugins.metrics.cells import AllCells
from tfaas_plugins.metrics.directory import Directory
from tfaas_plugins.metrics.quantiles import quantile
from tfaas_plugins.metrics.series import Series

_WINDOW_S = 60.0
_STEP_S = 10.0


class Counts:
    """All cells at one moment, or what was counted between two; float64 ``[cells]``."""

    def __init__(
        self, totals: NDArray[np.float64], of_family: Mapping[f.Family, Sequence[Series]]
    ) -> None:
        self._totals = totals
        self._of_family = of_family

    def of(self, family: f.Family) -> Iterator[tuple[tuple[str, ...], NDArray[np.float64]]]:
        """The labels and cells of each series."""
        for each in self._of_family[family]:
            if each.at + family.cells <= len(self._totals):
                yield each.labels, self._totals[each.at : each.at + family.cells]

    def sum(self, family: f.Family) -> NDArray[np.float64]:
        """Its cells, of all series together."""
        end = len(self._totals) - family.cells
        at = np.array([each.at for each in self._of_family[family] if each.at <= end], np.int64)
        cells: NDArray[np.float64] = self._totals[at[:, None] + np.arange(family.cells)]
        total: NDArray[np.float64] = cells.sum(axis=0)
        return total


class Figures:
    """What an HTTP worker knows of all; its methods belong to the event loop."""

    def __init__(
        self, memory: SharedMemory, directory: Directory, is_model: Callable[[str], bool]
    ) -> None:
        """``is_model`` tells whether a model of this name is still stored."""
        self._directory = directory
        self._is_model = is_model
        self._all = AllCells(memory)
        self._before = deque([(time.monotonic(), self.totals())])

    def totals(self) -> NDArray[np.float64]:
        """All cells, as they are now."""
        self._directory.read()
        return self._all.totals(self._directory.series, self._directory.next_cell)

    async def settled(self) -> None:
        """Returns once all answers are counted that were given before."""
        await self._all.settled()

    def counts(self, totals: NDArray[np.float64]) -> Counts:
        """``totals``, by families."""
        return Counts(totals, self._directory.of_family)

    def difference(self, totals: NDArray[np.float64], before: NDArray[np.float64]) -> Counts:
        """What was counted since ``before``."""
        return self.counts(totals - np.pad(before, (0, len(totals) - len(before))))

    def keep(self) -> None:
        """Takes note of how it is now, if it is time; called every few seconds."""
        now_s = time.monotonic()
        if now_s - self._before[-1][0] < _STEP_S:
            return
        self._before.append((now_s, self.totals()))
        while len(self._before) > 1 and now_s - self._before[1][0] >= _WINDOW_S:
            self._before.popleft()

    def of_server(self) -> dict[str, Any]:
        """For ``GET /status``: of the last minute."""
        seconds, counts = self._last_minute()
        return {
            "requests_per_s": _rate(counts.sum(f.REQUESTS)[0], seconds),
            "predictions_per_s": _rate(counts.sum(f.PREDICTIONS)[0], seconds),
            **_latencies(counts.sum(f.DURATIONS)),
            "batch_rows": mean(counts.sum(f.BATCHES)),
            "load": round(os.getloadavg()[0], 2),
        }

    def of_models(self) -> dict[str, dict[str, Any]]:
        """For ``GET /status``: of each stored model that was asked since the server started.

        ``requests`` and ``errors`` are since then, all else is of the last minute.
        """
        now = self.counts(self.totals())
        found: dict[str, dict[str, Any]] = {}
        for (model, _version, _codec, status), cells in now.of(f.PREDICTIONS):
            if model not in found and not self._is_model(model):
                continue
            own = found.setdefault(model, {"requests": 0, "errors": 0})
            own["requests"] += int(cells[0])
            own["errors"] += int(cells[0]) if status >= "400" else 0
        seconds, counts = self._last_minute()
        for (model,), cells in counts.of(f.DURATIONS):
            if model in found:
                rate = _rate(float(cells[:-1].sum()), seconds)
                found[model] |= {"requests_per_s": rate, **_latencies(cells)}
        for (model,), cells in now.of(f.LAST_USED):
            if model in found:
                found[model]["last_used_s"] = round(max(0.0, time.time() - float(cells[0])), 1)
        return found

    def _last_minute(self) -> tuple[float, Counts]:
        since_s, before = self._before[0]
        return time.monotonic() - since_s, self.difference(self.totals(), before)


def _rate(count: float, seconds: float) -> float:
    return round(float(count) / max(seconds, 1.0), 3)


def _latencies(cells: NDArray[np.float64]) -> dict[str, float | None]:
    bounds = f.DURATIONS.bounds
    return {f"p{n}_s": quantile(n / 100, cells[:-1], bounds) for n in (50, 99)}


def mean(cells: NDArray[np.float64]) -> float | None:
    """Of what a histogram has counted; None if that is nothing."""
    count = float(cells[:-1].sum())
    return round(float(cells[-1]) / count, 3) if count else None
