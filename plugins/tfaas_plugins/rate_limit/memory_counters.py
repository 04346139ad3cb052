"""MemoryCounters: counts in memory that the HTTP workers share."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from limits.strategies import SlidingWindowCounterRateLimiter

from tfaas_core.shared_memory import LockHeld, SharedMemory
from tfaas_plugins.rate_limit.failures import Failures
from tfaas_plugins.rate_limit.guards import Claim
from tfaas_plugins.rate_limit.limit import OverLimit
from tfaas_plugins.rate_limit.shared_table import SharedTable


class MemoryCounters:
    """Waits for nothing. ``clock``: seconds, which all workers read alike."""

    def __init__(self, memory: SharedMemory, clock: Callable[[], float] = time.monotonic) -> None:
        self._table = SharedTable(memory, clock)
        self._limiter = SlidingWindowCounterRateLimiter(self._table)
        self._failures = Failures(clock)

    def take(self, claims: Sequence[Claim]) -> None:
        """Raises OverLimit."""
        if self._failures.are_recent():
            return
        try:
            for claim in claims:
                limit, who = claim.limit, claim.who
                if not self._limiter.hit(limit.item, limit.kind, who):
                    key = limit.item.key_for(limit.kind, who)
                    counts = self._table.get_sliding_window(key, limit.period_s)
                    raise OverLimit(limit, limit.wait_s(*counts))
        except (LockHeld, OSError) as error:
            self._failures.note(error)

    async def close(self) -> None:
        """Has no connections."""
