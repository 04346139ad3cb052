"""Statuses: how servables are, with what their processes cost."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tfaas_core.engine.base import ServableStatus
from tfaas_core.system.memory import private_bytes


def with_memory(found: Sequence[ServableStatus]) -> list[ServableStatus]:
    """With what their processes cost: each is looked at once, however many models it holds."""
    sizes = {pid: None if pid is None else private_bytes(pid) for pid in {s.pid for s in found}}
    return [msgspec.structs.replace(each, private_bytes=sizes[each.pid]) for each in found]
