"""Tasks: what goes on beside, in an event loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any


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
