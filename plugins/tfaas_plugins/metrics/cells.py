"""Cells: the numbers that one HTTP worker counts in, and those of all workers together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfaas_core.shared_memory import SharedMemory
from tfaas_plugins.metrics.families import LAST_USED
from tfaas_plugins.metrics.series import Series
from tfaas_plugins.metrics.shared import (
    CELLS_BYTES,
    EXEMPLAR,
    LONGEST_ID,
    MOST_CELLS,
    MOST_EXEMPLARS,
    REGION_BYTES,
    REGIONS_AT,
    SERIES_CELLS,
)

_STARTED, _UNCOUNTED = SERIES_CELLS, SERIES_CELLS + 1

_PATIENCE_S = 1.0
_LOOK_S = 0.002


class Cells:
    """Those of the worker ``number``; a worker that replaces another goes on where that was.

    ``counts`` and ``sums`` are the same memory, int64 and float64 ``[MOST_CELLS]``: a histogram's
    sum is a float, as is the time of LAST_USED; all else are counts.
    """

    def __init__(self, memory: SharedMemory, number: int) -> None:
        begin = REGIONS_AT + number * REGION_BYTES
        region = memoryview(memory.bytes)[begin : begin + CELLS_BYTES]
        self.counts = region.cast("q")
        self.sums = region.cast("d")
        self._bytes = memory.bytes
        self._exemplars_at = begin + CELLS_BYTES
        self._told = 0

    @property
    def has_started(self) -> bool:
        """Whether a worker has been here; it may have died."""
        return self.counts[_STARTED] != 0

    @has_started.setter
    def has_started(self, has: bool) -> None:
        self.counts[_STARTED] = has

    def owe(self) -> None:
        """Answers were given that are not counted yet: the number that tells so is odd."""
        self.counts[_UNCOUNTED] |= 1

    def settle(self) -> None:
        """All that were given are counted."""
        self.counts[_UNCOUNTED] += self.counts[_UNCOUNTED] & 1

    def exemplify(self, cell: int, value: float, request_id: str) -> None:
        """Takes note that a request of this id was counted in ``cell``, one of a bucket.

        An id that is too long would be another one if it were cut, and is left out.
        """
        sent = request_id.encode()
        if len(sent) > LONGEST_ID:
            return
        number = self._told = self._told + 1
        at = self._exemplars_at + number % MOST_EXEMPLARS * EXEMPLAR.size
        EXEMPLAR.pack_into(self._bytes, at, number, cell, value, time.time(), sent, number)


class Exemplar:
    """A request that was counted in a bucket, and when; ``value`` is what was measured."""

    __slots__ = ("request_id", "time_s", "value")

    def __init__(self, value: float, time_s: float, request_id: str) -> None:
        self.value = value
        self.time_s = time_s
        self.request_id = request_id


class AllCells:
    """The sums over all workers. Its methods may be called in any thread."""

    def __init__(self, memory: SharedMemory) -> None:
        self._bytes = memory.bytes
        self.workers = (len(memory.bytes) - REGIONS_AT) // REGION_BYTES
        """There is a region for each."""

    def totals(self, series: Sequence[Series], used: int) -> NDArray[np.float64]:
        """float64 ``[used]``: each cell, counts and sums alike; those of LAST_USED are the latest.

        ``series`` are all whose cells are below ``used``.
        """
        totals = np.zeros(used, np.int64)
        for worker in range(self.workers):
            totals += self._region(worker, used, np.int64)
        told = totals.astype(np.float64)
        sums = [each.at + each.family.cells - 1 for each in series if each.family.bounds]
        latest = [each.at for each in series if each.family is LAST_USED]
        numbers = [self._region(worker, used, np.float64) for worker in range(self.workers)]
        told[sums] = sum(each[sums] for each in numbers)
        told[latest] = np.max([each[latest] for each in numbers], axis=0)
        return told

    async def settled(self) -> None:
        """Returns once all answers are counted that were given before, by whichever worker.

        It does not wait for long if one does not get there, since it was killed, say.
        """
        until_s, owing = time.monotonic() + _PATIENCE_S, self._owing()
        while owing and time.monotonic() < until_s:
            await asyncio.sleep(_LOOK_S)
            owing &= self._owing()

    def _owing(self) -> set[tuple[int, int]]:
        """The workers that owe answers, each with a number that is another one once it has counted
        them."""
        regions = [self._region(worker, MOST_CELLS, np.int64) for worker in range(self.workers)]
        numbers = enumerate(int(each[_UNCOUNTED]) for each in regions)
        return {(worker, number) for worker, number in numbers if number & 1}

    def exemplars(self) -> dict[int, Exemplar]:
        """The last one of each cell that has any."""
        found: dict[int, Exemplar] = {}
        for worker in range(self.workers):
            at = REGIONS_AT + worker * REGION_BYTES + CELLS_BYTES
            ring = self._bytes[at : at + MOST_EXEMPLARS * EXEMPLAR.size]
            for number, cell, value, time_s, sent, again in EXEMPLAR.iter_unpack(ring):
                if number and number == again:
                    before = found.get(cell)
                    if before is None or before.time_s < time_s:
                        found[cell] = Exemplar(value, time_s, sent.decode(errors="replace"))
        return found

    def clear(self, series: Sequence[Series]) -> None:
        """Sets the cells of series to zero that no worker counts in any more."""
        cells = np.concatenate([np.arange(each.at, each.at + each.family.cells) for each in series])
        for worker in range(self.workers):
            self._region(worker, MOST_CELLS, np.int64)[cells] = 0
            ring = self._ring(worker)
            of_cell = ring[:, 8:16].copy().view("<u8")[:, 0]
            ring[np.isin(of_cell, cells), :8] = 0

    def _ring(self, worker: int) -> NDArray[np.uint8]:
        """The exemplars of a worker, uint8 ``[MOST_EXEMPLARS, EXEMPLAR.size]``."""
        at = REGIONS_AT + worker * REGION_BYTES + CELLS_BYTES
        ring = np.frombuffer(self._bytes, np.uint8, MOST_EXEMPLARS * EXEMPLAR.size, at)
        return ring.reshape(MOST_EXEMPLARS, EXEMPLAR.size)

    def _region(self, worker: int, used: int, dtype: Any) -> NDArray[Any]:
        assert used <= MOST_CELLS
        return np.frombuffer(self._bytes, dtype, used, REGIONS_AT + worker * REGION_BYTES)
