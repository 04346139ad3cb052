"""Statuses: how servables are, with what their processes cost."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from tfaas_core.engine.base import ServableStatus
from tfaas_core.system.loop.threads import Threads
from tfaas_core.system.resources.memory import KnownMemory


class Statuses:
    """Of all that is loaded, as often as somebody asks.

    They have a thread of their own: asyncio's may all wait for a storage, or for uploads, and who
    asks would take this machine for one that hangs.
    """

    def __init__(self) -> None:
        self._memory = KnownMemory()
        self._thread = Threads(1, "tfaas-statuses")

    async def with_memory(self, found: Sequence[ServableStatus]) -> list[ServableStatus]:
        """Sorted by model, with what their processes cost: each of these is looked at once, however
        many models it holds."""
        loading = {each.pid for each in found if each.pid is not None and each.state == "loading"}
        pids = {each.pid for each in found if each.pid is not None}
        loop = asyncio.get_running_loop()
        sizes = await loop.run_in_executor(self._thread, self._memory.of, pids, loading)
        sized = [
            msgspec.structs.replace(
                each, private_bytes=None if each.pid is None else sizes[each.pid]
            )
            for each in found
        ]
        return sorted(sized, key=lambda status: status.model)

    def close(self) -> None:
        """Gives the thread back."""
        self._thread.shutdown(wait=False)
