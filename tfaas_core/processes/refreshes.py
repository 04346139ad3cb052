"""Refreshes: telling every HTTP worker to look at the storage again, and waiting until all have."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from tfaas_core.processes.worker_process import WorkerProcess

_TIMEOUT_S = 10.0

_log = logging.getLogger("tfaas.parent")


async def refreshed(workers: Iterable[WorkerProcess], name: str) -> bool:
    """Has ``workers`` look up ``name``, or with "", everything.

    Returns, after ten seconds at most, whether all of them have done so.
    """
    asked = [asyncio.create_task(worker.refresh(name)) for worker in workers]
    if not asked:
        return True
    done, slow = await asyncio.wait(asked, timeout=_TIMEOUT_S)
    for task in slow:
        task.cancel()
    if slow:
        _log.warning("an HTTP worker has not refreshed %r within %g s", name, _TIMEOUT_S)
    return not slow and all(task.result() for task in done)
