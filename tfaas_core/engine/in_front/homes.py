"""Homes: which hosts' engines get the requests for which version now."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence

from tfaas_core.engine.in_front.far_host import FarHost
from tfaas_core.engine.in_front.full_hosts import FullHosts
from tfaas_core.engine.in_front.host_engine import HostEngine, Rooms
from tfaas_core.engine.in_front.placement import Placement, chosen
from tfaas_core.errors import Unavailable
from tfaas_core.models.model import ModelVersion


class Homes(Rooms):
    """A version stays where it is as long as a host of these is there, or until it has ``moved``.

    Of several, the least busy one gets a request. ``on_lack`` gets versions that are not loaded at
    all hosts that are to have them. ``calm_s``: see FullHosts.
    """

    def __init__(self, calm_s: float, on_lack: Callable[[ModelVersion], None]) -> None:
        self._on_lack = on_lack
        self._homes: dict[str, tuple[ModelVersion, Sequence[HostEngine]]] = {}
        self._replicas: Mapping[str, int] = {}
        self._full = FullHosts(calm_s)
        self.place_on(())

    def place_on(self, hosts: Sequence[FarHost]) -> None:
        """From now on, versions without a home, or that move, belong to some of these."""
        self._hosts = hosts
        self._placement = Placement([host.address for host in hosts])

    def spread(self, replicas: Mapping[str, int]) -> list[ModelVersion]:
        """So many hosts these models are to have from now on, and all others one.

        Returns the versions in use that this concerns.
        """
        before, self._replicas = self._replicas, replicas
        changed = {name for name, _count in before.items() ^ replicas.items()}
        if not changed:
            return []
        return [version for version, _home in self._homes.values() if version.name in changed]

    def of(self, version: ModelVersion) -> HostEngine:
        """Where a request goes. Raises Unavailable if no host can be reached."""
        engine = self.known(version)
        if engine is None:
            self.put(version, [engine := self.of_model(version.name)])
            if self.spreads(version):
                self._on_lack(version.chosen)
        return engine

    def known(self, version: ModelVersion) -> HostEngine | None:
        """Where its requests have gone; None if they are to go somewhere anew."""
        home = self._homes.get(version.key)
        if home is None:
            return None
        engines = home[1]
        engine = engines[0] if len(engines) == 1 else self._least_busy(home[0], engines)
        return None if engine.ended.is_set() else engine

    def _least_busy(self, version: ModelVersion, engines: Sequence[HostEngine]) -> HostEngine:
        first = random.randrange(len(engines))  # of those that are equally busy
        found, fewest, lacks = None, 0, False
        for engine in (*engines[first:], *engines[:first]):
            if engine.ended.is_set():  # its place is about to be taken
                continue
            rows = engine.rows(version.key)
            if rows is None:
                lacks = True
            elif found is None or rows < fewest:
                found, fewest = engine, rows
        if lacks:
            self._on_lack(version)
        return found or next((e for e in engines if not e.ended.is_set()), engines[0])

    def of_model(self, name: str) -> HostEngine:
        """The first host in the model's order that takes requests, and has room for it.

        Raises Unavailable if there is none.
        """
        return self._belongs(name, 1)[0]

    def belongs(self, version: ModelVersion) -> list[HostEngine]:
        """Those that are to serve it; the first one alone, until it is known whether it has state.

        Raises Unavailable if there is none.
        """
        wanted = self._belongs(version.name, self._replicas.get(version.name, 1))
        _version, known = self._homes.get(version.key) or (version, ())
        may_spread = any(each.may_spread(version.key) for each in (*known, *wanted))
        return wanted if may_spread else wanted[:1]

    def _belongs(self, name: str, replicas: int) -> list[HostEngine]:
        hosts, full = self._hosts, self._full.for_model(name)
        places = chosen(
            self._placement.order(name),
            replicas,
            lambda place: hosts[place].takes is not None,
            lambda place: hosts[place].takes in full,
        )
        if found := [engine for place in places if (engine := hosts[place].takes) is not None]:
            return found
        whys = [host.why or f"host {host.address} is about to end" for host in hosts]
        why = "; ".join(whys) or "no host is known"
        raise Unavailable(
            f"model {name!r} has no host at the moment, so try again: {why}", model=name
        )

    def is_full(self, name: str, engine: HostEngine) -> bool:
        return engine in self._full.for_model(name)

    def has_to_make_room(self, name: str, engine: HostEngine) -> bool:
        return self.is_full(name, engine) and self.of_model(name) is engine

    def has_no_room(self, name: str, key: str, engine: HostEngine) -> None:
        if not self.is_full(name, engine):
            self._full.add(name, engine)
        if (home := self._homes.get(key)) is not None and engine in home[1]:
            others = [each for each in home[1] if each is not engine]
            self.put(home[0], others or self._belongs(name, 1))

    def spreads(self, version: ModelVersion) -> bool:
        """Whether it may have several hosts now."""
        return version.name in self._replicas

    def put(self, version: ModelVersion, engines: Sequence[HostEngine]) -> None:
        """Its requests go there from now on."""
        self._homes[version.key] = version.chosen, engines

    def moved(self, version: ModelVersion, engines: Sequence[HostEngine]) -> Iterable[HostEngine]:
        """As ``put``; returns whose the version is no more: ``engines``, if nobody uses it now."""
        before = self._homes.get(version.key)
        if before is None:
            return engines
        self.put(version, engines)
        return [engine for engine in before[1] if engine not in engines]

    def forget(self, version: ModelVersion) -> None:
        """Nobody uses it any more."""
        self._homes.pop(version.key, None)

    def at(self, engine: HostEngine) -> list[ModelVersion]:
        """The versions whose requests go there."""
        return [version for version, engines in self._homes.values() if engine in engines]

    def has(self, version: ModelVersion, engine: HostEngine) -> bool:
        """Whether its requests go there."""
        home = self._homes.get(version.key)
        return home is not None and engine in home[1]

    def spread_to(self, engine: HostEngine) -> list[ModelVersion]:
        """Those of them that have further hosts."""
        return [v for v, engines in self._homes.values() if len(engines) > 1 and engine in engines]

    def rows(self) -> dict[str, int]:
        """Of each model: rows of this worker that wait or run."""
        rows: dict[str, int] = {}
        for version, engines in self._homes.values():
            found = sum(engine.rows(version.key) or 0 for engine in engines)
            if found:
                rows[version.name] = rows.get(version.name, 0) + found
        return rows

    def wrongly_placed(self) -> list[ModelVersion]:
        """The versions that other hosts are to serve, now that these can be reached."""
        return [
            version
            for version, engines in self._homes.values()
            if set(engines) != set(self.belongs(version))
        ]
