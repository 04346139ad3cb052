"""Refreshes: telling every HTTP worker to look at the storage again, and waiting until all have."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from tfaas_core.processes.worker_process import WorkerProcess

_TIMEOUT_S = 10.0

_log = logging.getLogger("tfaas.parent")


async def refreshed(workers: Iterable[WorkerProcess], name: str, stop: asyncio.Event) -> bool:
    """Has ``workers`` look up ``name``, or with "", everything.

    Returns, after ten seconds at most, whether all of them have done so. Once ``stop`` is set, all
    of them end, and it waits for nobody.
    """
    asked = asyncio.create_task(_asked(workers, name))
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait(
            [asked, stopped], timeout=_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED
        )
        if asked.done():
            return asked.result()
        if not stop.is_set():
            _log.warning("an HTTP worker has not refreshed %r within %g s", name, _TIMEOUT_S)
        return stop.is_set()
    finally:
        asked.cancel()
        stopped.cancel()


async def _asked(workers: Iterable[WorkerProcess], name: str) -> bool:
    return all(await asyncio.gather(*(worker.refresh(name) for worker in workers)))
