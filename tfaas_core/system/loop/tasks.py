"""Tasks: what goes on beside, in an event loop, and what goes on when nobody waits for it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Tasks:
    """Keeps tasks until they end, and logs what they raise. It belongs to the event loop."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._running: set[asyncio.Task[object]] = set()
        self._is_over = False

    def spawn(self, work: Coroutine[Any, Any, object]) -> None:
        """Begins ``work``, unless all was cancelled."""
        if self._is_over:
            work.close()
            return
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._ended)

    async def cancel(self) -> None:
        """Cancels all, and waits for their ends. Nothing is begun any more."""
        self._is_over = True
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def _ended(self, task: asyncio.Task[object]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            what = getattr(task.get_coro(), "__qualname__", "a task")
            self._log.error("%s has failed", what, exc_info=error)


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
