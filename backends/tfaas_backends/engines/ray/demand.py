"""Demand: how many hosts a cluster is to have, by what those that there are have to do."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tfaas_backends.engines.ray.table import RayTable
from tfaas_core.engine.base import ServableStatus
from tfaas_core.engine.shared.calm import CALM_S

_FULL = 0.8
"""A host is as good as full with so much of ``engine.max_loaded_models``."""


class Demand:
    """Grows at once, and shrinks by one host after a calm. ``room``: models each host may have."""

    def __init__(self, table: RayTable, room: int) -> None:
        self._table, self._room = table, room
        self._wanted = 0
        self._busy_s = 0.0

    def wanted(self, hosts: int, served: Sequence[ServableStatus], now_s: float) -> int:
        """How many hosts it takes. ``hosts``: how many there are; ``served``: their models."""
        needed = self._limited(self._needed(served))
        before = self._wanted or self._limited(hosts)
        if needed >= before or not self._wanted:
            self._wanted, self._busy_s = max(needed, before), now_s
        elif now_s - self._busy_s >= CALM_S:
            self._wanted, self._busy_s = before - 1, now_s
        return self._wanted

    def _needed(self, served: Sequence[ServableStatus]) -> int:
        rows = sum(each.rows_in_flight for each in served)
        in_use = sum(each.idle_s < CALM_S for each in served)
        by_rows = math.ceil(rows / self._table.rows_per_host)
        return max(by_rows, math.ceil(in_use / (_FULL * self._room)))

    def _limited(self, hosts: int) -> int:
        return min(max(hosts, self._table.min_hosts), self._table.max_hosts)
