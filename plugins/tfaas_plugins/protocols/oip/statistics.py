"""Statistics: how many requests of this protocol there were, and how long they took."""

from __future__ import annotations

import time
from functools import lru_cache
from hashlib import sha256
from operator import add
from struct import Struct as Layout
from typing import Any

import msgspec

from tfaas_core.models.model import ModelVersion
from tfaas_core.shared_memory import LockHeld, SharedMemory
from tfaas_core.visit import Visit
from tfaas_plugins.protocols.oip.sizes import COUNTED_AT, COUNTED_BYTES, COUNTED_SLOTS, DIGEST_BYTES

_FREE = bytes(DIGEST_BYTES)
_NUMBERS = Layout("<10Q")
_PROBES = 32
_LOCK = 1
_PAUSE_S = 1.0
_MOST_KEPT = 4096
_NS = 1_000_000_000


class Counts(msgspec.Struct):
    """Of one version, since the server started."""

    last_ms: int = 0
    rows: int = 0
    successes: int = 0
    success_ns: int = 0
    failures: int = 0
    failure_ns: int = 0
    queue_ns: int = 0
    input_ns: int = 0
    infer_ns: int = 0
    output_ns: int = 0


class Statistics:
    """Counts of all versions, as all HTTP workers together have them."""

    def __init__(self, memory: SharedMemory) -> None:
        self._memory = memory
        self._again_s = 0.0

    def succeeded(
        self, version: ModelVersion, visit: Visit, rows: int, begin_s: float, run_s: float
    ) -> None:
        """A request was answered: it came at ``begin_s`` and was read by ``run_s``."""
        now_s = time.monotonic()
        infer_s, queue_s = visit.run_s or 0.0, visit.wait_s or 0.0
        rest_s = max(0.0, now_s - run_s - infer_s - queue_s)
        self._add(
            version,
            Counts(
                _now_ms(),
                rows,
                1,
                _ns(now_s - begin_s),
                queue_ns=_ns(queue_s),
                input_ns=_ns(run_s - begin_s),
                infer_ns=_ns(infer_s),
                output_ns=_ns(rest_s),
            ),
        )

    def failed(self, version: ModelVersion, begin_s: float) -> None:
        """A request was refused."""
        self._add(version, Counts(failures=1, failure_ns=_ns(time.monotonic() - begin_s)))

    def document(self, version: ModelVersion) -> dict[str, Any]:
        """What the protocol tells of a version. What is not counted is 0."""
        counts = self._counts(version)
        done = counts.successes

        def both(count: int, ns: int) -> dict[str, int]:
            return {"count": count, "ns": ns}

        return {
            "name": version.name,
            "version": str(version.version),
            "last_inference": counts.last_ms,
            "inference_count": counts.rows,
            "execution_count": done,
            "inference_stats": {
                "success": both(done, counts.success_ns),
                "fail": both(counts.failures, counts.failure_ns),
                "queue": both(done, counts.queue_ns),
                "compute_input": both(done, counts.input_ns),
                "compute_infer": both(done, counts.infer_ns),
                "compute_output": both(done, counts.output_ns),
                "cache_hit": both(0, 0),
                "cache_miss": both(0, 0),
            },
            "response_stats": {},
            "batch_stats": [],
            "memory_usage": [],
        }

    def _counts(self, version: ModelVersion) -> Counts:
        place = self._place(_digest(version.key))
        if place is None or self._memory.bytes[place : place + DIGEST_BYTES] == _FREE:
            return Counts()
        return self._at(place)

    def _at(self, place: int) -> Counts:
        return Counts(*_NUMBERS.unpack_from(self._memory.bytes, place + DIGEST_BYTES))

    def _add(self, version: ModelVersion, more: Counts) -> None:
        if time.monotonic() < self._again_s:
            return
        try:
            self._memory.lock(_LOCK)
        except (LockHeld, OSError):
            # Nothing is counted for a while, rather than that each request waits for it.
            self._again_s = time.monotonic() + _PAUSE_S
            return
        try:
            self._add_to(_digest(version.key), more)
        finally:
            self._memory.unlock(_LOCK)

    def _add_to(self, digest: bytes, more: Counts) -> None:
        place = self._place(digest)
        if place is None:  # of so many versions, some are not counted
            return
        table, at = self._memory.bytes, place + DIGEST_BYTES
        table[place:at] = digest
        last_ms, *before = _NUMBERS.unpack_from(table, at)
        new_ms, *new = msgspec.structs.astuple(more)
        _NUMBERS.pack_into(table, at, max(last_ms, new_ms), *map(add, before, new))

    def _place(self, digest: bytes) -> int | None:
        """Where its numbers are, or may be put; None: there is no room."""
        first = int.from_bytes(digest[:4], "little")
        table = self._memory.bytes
        for probe in range(_PROBES):
            at = COUNTED_AT + (first + probe) % COUNTED_SLOTS * COUNTED_BYTES
            if table[at : at + DIGEST_BYTES] in (digest, _FREE):
                return at
        return None


@lru_cache(_MOST_KEPT)
def _digest(key: str) -> bytes:
    return sha256(key.encode()).digest()[:DIGEST_BYTES]


def _ns(seconds: float) -> int:
    return max(0, int(seconds * _NS))


def _now_ms() -> int:
    return int(time.time() * 1000)
