"""Stopping: work that somebody may want to end before it has."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


async def until_stopped(
    stop: asyncio.Event, work: Coroutine[Any, Any, None], limit_s: float | None = None
) -> None:
    """Returns once ``work`` has ended, ``stop`` is set, or the time is over; raises what work does.

    Work that has not ended by itself is cancelled, and what it raises then is nobody's concern.
    """
    working, waiting = asyncio.create_task(work), asyncio.create_task(stop.wait())
    tasks = working, waiting
    try:
        await asyncio.wait(tasks, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        has_ended = working.done()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if has_ended:
        working.result()
