"""Statuses: how servables are, with what their processes cost."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tfaas_core.engine.base import ServableStatus
from tfaas_core.system.resources.memory import KnownMemory


class Statuses:
    """Of all that is loaded, as often as somebody asks."""

    def __init__(self) -> None:
        self._memory = KnownMemory()

    def with_memory(self, found: Sequence[ServableStatus]) -> list[ServableStatus]:
        """With what their processes cost: each is looked at once, however many models it holds."""
        loading = {each.pid for each in found if each.pid is not None and each.state == "loading"}
        pids = {each.pid for each in found if each.pid is not None}
        sizes = self._memory.of(pids, growing=loading)
        return [
            msgspec.structs.replace(
                each, private_bytes=None if each.pid is None else sizes[each.pid]
            )
            for each in found
        ]
