"""Wants: how many hosts a cluster is to have, and each model of them, by what hosts tell."""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Sequence

from tfaas_backends.engines.ray.demand import Demand
from tfaas_backends.engines.ray.served import served_by
from tfaas_backends.engines.ray.table import RAY, RayTable
from tfaas_core.config import Config
from tfaas_core.engine.base import ServableStatus
from tfaas_core.engine.in_front.spread import Spread
from tfaas_core.engine.remote import spread_of

_log = logging.getLogger("tfaas.engine")


class Wants:
    """``hosts``: how many there are to be; 0: one on each node. ``replicas``: see Hosts."""

    def __init__(self, config: Config) -> None:
        self._config = config
        table: RayTable = config.engine_settings(RAY)
        self._demand = None
        if table.max_hosts:
            self._demand = Demand(table, config.engine.max_loaded_models)
        self._settings = spread_of(config)
        self._spread: Spread | None = None
        self._next_s = -math.inf
        self.hosts = table.max_hosts
        self.replicas: dict[str, int] | None = None if self._settings.most > 1 else {}

    async def look(self, hosts: Sequence[str], now_s: float) -> bool:
        """Asks the hosts, if it is time to; whether they were asked."""
        needs_look = self._demand is not None or self._settings.most > 1
        if not needs_look or now_s < self._next_s:
            return False
        self._next_s = now_s + self._settings.look_s
        served = (await served_by(self._config, hosts)).models
        if self._demand is not None:
            wanted = self._demand.wanted(len(hosts), served, now_s)
            if wanted != self.hosts:
                _log.info("models need %d hosts, and there are %d", wanted, len(hosts))
                self.hosts = wanted
        if self._settings.most > 1 and hosts:
            self._look_at(served, now_s)
        return True

    def _look_at(self, served: Sequence[ServableStatus], now_s: float) -> None:
        if self._spread is None:
            if not served:  # perhaps no host has answered: until one does, all stays as it was
                return
            self._spread = Spread(self._settings)
            self._spread.begin(_hosts_in_use(served, self._settings.calm_s), now_s)
        rows = Counter[str]()
        for each in served:
            rows[_name(each)] += each.rows_in_flight
        replicas = self._spread.look(rows, now_s)
        if self.replicas is not None and replicas != self.replicas:
            _log.info("models on several hosts: %s", replicas)
        self.replicas = replicas


def _hosts_in_use(served: Sequence[ServableStatus], calm_s: float) -> Counter[str]:
    """On how many hosts each model is asked for: what a controller before this one has decided."""
    used = {(_name(each), each.host) for each in served if each.idle_s < calm_s}
    return Counter(name for name, _host in used)


def _name(served: ServableStatus) -> str:
    return served.model.partition("/")[0]
