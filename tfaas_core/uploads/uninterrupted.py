"""Uninterrupted: work that goes on to its end when the client that asked for it is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def taken(take: Callable[[], T], give_back: Callable[[T], object]) -> T:
    """What ``take`` returns in a thread; given back if the waiting task is cancelled meanwhile.

    A client may go away at any moment, and the thread goes on all the same.
    """
    job = asyncio.ensure_future(asyncio.to_thread(take))
    try:
        return await finished(job)
    except asyncio.CancelledError:
        if not job.cancelled() and job.exception() is None:
            await finished(asyncio.to_thread(give_back, job.result()))
        raise


async def finished(work: Awaitable[T]) -> T:
    """Waits for ``work`` to end, even if the waiting task is cancelled meanwhile, even twice."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
    return task.result()
