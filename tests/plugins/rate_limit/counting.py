"""A clock that a test moves, and memory to count in."""

from __future__ import annotations

from tfaas_plugins.rate_limit.size import BUCKET_BYTES, HEADER_BYTES

from tfaas_core.shared_memory import SharedMemory


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now_s = 1_000_000.0

    def __call__(self) -> float:
        return self.now_s


def memory(buckets: int = 1024) -> SharedMemory:
    """With room for eight counts a bucket."""
    return SharedMemory(HEADER_BYTES + buckets * BUCKET_BYTES)
