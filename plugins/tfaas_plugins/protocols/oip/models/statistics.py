"""Statistics: how many requests of this protocol there were, and how long they took."""

from __future__ import annotations

import time
from functools import lru_cache
from hashlib import sha256
from operator import add
from typing import Any

from tfaas_core.models.model import ModelVersion
from tfaas_core.shared_memory import SharedMemory
from tfaas_core.visit import Visit
from tfaas_plugins.protocols.oip.models.sizes import (
    COUNTED_AT,
    COUNTED_BYTES,
    COUNTED_SLOTS,
    DIGEST_BYTES,
    REGION_BYTES,
)

_FREE = bytes(DIGEST_BYTES)
_PROBES = 32
_MOST_KEPT = 4096
_NS = 1_000_000_000
_NUMBER_BYTES = 8

# What the numbers of a slot are, which are floats: the last is a time, others are times it took.
_ROWS, _SUCCESSES, _SUCCESS_S, _FAILURES, _FAILURE_S = range(5)
_QUEUE_S, _INPUT_S, _INFER_S, _LAST_S = range(5, 9)
_NUMBERS = 9


class Statistics:
    """Counts of all versions, as all HTTP workers together have them.

    Each writes in a region of its own, without waiting for another. A worker that replaces another
    goes on where that was. All methods belong to the event loop.
    """

    def __init__(self, memory: SharedMemory, worker: int) -> None:
        """``worker``: the number of this one."""
        self._bytes = memory.bytes
        self._region_at = COUNTED_AT + worker * REGION_BYTES
        self._slots: dict[str, memoryview[float]] = {}

    def succeeded(
        self, version: ModelVersion, visit: Visit, rows: int, begin_s: float, run_s: float
    ) -> None:
        """A request was answered: it came at ``begin_s`` and was read by ``run_s``."""
        numbers = self._slots.get(version.key) or self._slot(version)
        if numbers is None:
            return
        numbers[_ROWS] += rows
        numbers[_SUCCESSES] += 1
        numbers[_SUCCESS_S] += time.monotonic() - begin_s
        numbers[_QUEUE_S] += visit.wait_s or 0.0
        numbers[_INPUT_S] += run_s - begin_s
        numbers[_INFER_S] += visit.run_s or 0.0
        numbers[_LAST_S] = time.time()

    def failed(self, version: ModelVersion, begin_s: float) -> None:
        """A request was refused."""
        numbers = self._slot(version)
        if numbers is not None:
            numbers[_FAILURES] += 1
            numbers[_FAILURE_S] += time.monotonic() - begin_s

    def document(self, version: ModelVersion) -> dict[str, Any]:
        """What the protocol tells of a version. What is not counted is 0."""
        counts = self._counts(version)
        done = int(counts[_SUCCESSES])
        output_s = counts[_SUCCESS_S] - counts[_QUEUE_S] - counts[_INPUT_S] - counts[_INFER_S]

        def both(count: int, seconds: float) -> dict[str, int]:
            return {"count": count, "ns": int(seconds * _NS)}

        return {
            "name": version.name,
            "version": str(version.version),
            "last_inference": int(counts[_LAST_S] * 1000),
            "inference_count": int(counts[_ROWS]),
            "execution_count": done,
            "inference_stats": {
                "success": both(done, counts[_SUCCESS_S]),
                "fail": both(int(counts[_FAILURES]), counts[_FAILURE_S]),
                "queue": both(done, counts[_QUEUE_S]),
                "compute_input": both(done, counts[_INPUT_S]),
                "compute_infer": both(done, counts[_INFER_S]),
                "compute_output": both(done, max(0.0, output_s)),
                "cache_hit": both(0, 0),
                "cache_miss": both(0, 0),
            },
            "response_stats": {},
            "batch_stats": [],
            "memory_usage": [],
        }

    def _counts(self, version: ModelVersion) -> list[float]:
        """What all workers together have counted; of the last time, the last."""
        digest, counts = _digest(version.key), [0.0] * _NUMBERS
        for region_at in range(COUNTED_AT, len(self._bytes), REGION_BYTES):
            place = self._place(digest, region_at)
            if place is None or self._is_free(place):
                continue
            found = self._numbers_at(place).tolist()
            last_s = max(counts[_LAST_S], found[_LAST_S])
            counts = [*map(add, counts[:_LAST_S], found[:_LAST_S]), last_s]
        return counts

    def _slot(self, version: ModelVersion) -> memoryview[float] | None:
        """This worker's numbers of the version; None: there is no room."""
        digest = _digest(version.key)
        place = self._place(digest, self._region_at)
        if place is None:  # of so many versions, some are not counted
            return None
        if self._is_free(place):
            self._bytes[place : place + DIGEST_BYTES] = digest
        numbers = self._slots[version.key] = self._numbers_at(place)
        return numbers

    def _place(self, digest: bytes, region_at: int) -> int | None:
        """The slot that is the version's in a region, or may be; None: there is no room."""
        first = int.from_bytes(digest[:4], "little")
        for probe in range(_PROBES):
            at = region_at + (first + probe) % COUNTED_SLOTS * COUNTED_BYTES
            if self._is_free(at) or self._bytes[at : at + DIGEST_BYTES] == digest:
                return at
        return None

    def _numbers_at(self, place: int) -> memoryview[float]:
        """Those of a slot, as they are in the memory."""
        at = place + DIGEST_BYTES
        return memoryview(self._bytes)[at : at + _NUMBERS * _NUMBER_BYTES].cast("d")

    def _is_free(self, at: int) -> bool:
        return self._bytes[at : at + DIGEST_BYTES] == _FREE


@lru_cache(_MOST_KEPT)
def _digest(key: str) -> bytes:
    return sha256(key.encode()).digest()[:DIGEST_BYTES]
