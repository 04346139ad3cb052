"""The last calls: those that come while the server stops, of which none is to be lost."""

from __future__ import annotations

import asyncio
import time

from tfaas_core.errors import Unavailable

_ANSWERED_S = 0.1
"""Who called before the stop is taken in by then, however many there were."""
_QUIET_S = 0.05
_LATE_S = 0.02
_LONGEST_S = 1.0


class LastCalls:
    """Keeps gRPC's library from cancelling calls.

    Once it is told to stop, it cancels those that nobody has taken in, and all that come until
    clients have heard of it. So calls are answered for a moment more, and then held: clients that
    wait for answers send no more. When none comes, it may stop, and those are refused.
    """

    def __init__(self) -> None:
        self._stopping_since_s: float | None = None
        self._last_s = 0.0
        self._told = asyncio.Event()

    async def admit(self) -> None:
        """A call has come. Raises Unavailable if it came too late, once its client knows."""
        self._last_s = time.monotonic()
        since_s = self._stopping_since_s
        if since_s is not None and self._last_s > since_s + _ANSWERED_S:
            await self._told.wait()
            raise told_to_stop()

    async def quiet(self) -> None:
        """Begins to hold calls; returns once none has come for a moment, or they do not cease."""
        now_s = self._stopping_since_s = self._last_s = time.monotonic()
        ends_s = now_s + _LONGEST_S
        while now_s < (until_s := min(ends_s, self._last_s + _QUIET_S)):
            await asyncio.sleep(until_s - now_s)
            now_s = time.monotonic()
            if (late_s := now_s - until_s) > _LATE_S:
                # The process got no core: who has called meanwhile, is heard next.
                self._last_s, ends_s = now_s, ends_s + late_s

    def refuse(self) -> None:
        """Refuses those that are held: clients have been told that the server stops."""
        self._told.set()


def told_to_stop() -> Unavailable:
    """What who comes too late is told."""
    return Unavailable("the server was told to stop; try again elsewhere, or later")
