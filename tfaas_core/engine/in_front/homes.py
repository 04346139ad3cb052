"""Homes: which host's engine gets the requests for which version now."""

from __future__ import annotations

from collections.abc import Sequence

from tfaas_core.engine.in_front.far_host import FarHost
from tfaas_core.engine.in_front.host_engine import HostEngine
from tfaas_core.engine.in_front.placement import Placement
from tfaas_core.errors import Unavailable
from tfaas_core.models.model import ModelVersion


class Homes:
    """A version stays with a host as long as that is there, or until it has ``moved``."""

    def __init__(self) -> None:
        self._homes: dict[str, tuple[ModelVersion, HostEngine]] = {}
        self.place_on(())

    def place_on(self, hosts: Sequence[FarHost]) -> None:
        """From now on, versions without a home, or that move, belong to one of these."""
        self._hosts = hosts
        self._placement = Placement([host.address for host in hosts])

    def of(self, version: ModelVersion) -> HostEngine:
        """Where a request goes. Raises Unavailable if no host can be reached."""
        engine = self.known(version)
        if engine is None:
            self.put(version, engine := self.of_model(version.name))
        return engine

    def known(self, version: ModelVersion) -> HostEngine | None:
        """Where its requests have gone; None if they are to go somewhere anew."""
        home = self._homes.get(version.key)
        return None if home is None or home[1].ended.is_set() else home[1]

    def of_model(self, name: str) -> HostEngine:
        """The first host in the model's order that takes requests. Raises Unavailable."""
        for place in self._placement.order(name):
            if (engine := self._hosts[place].takes) is not None:
                return engine
        whys = [host.why or f"host {host.address} is about to end" for host in self._hosts]
        why = "; ".join(whys) or "no host is known"
        raise Unavailable(
            f"model {name!r} has no host at the moment, so try again: {why}", model=name
        )

    def put(self, version: ModelVersion, engine: HostEngine) -> None:
        """Its requests go there from now on."""
        self._homes[version.key] = version.chosen, engine

    def moved(self, version: ModelVersion, engine: HostEngine) -> HostEngine | None:
        """As ``put``; returns whose the version is no more: ``engine``, if nobody uses it now."""
        before = self._homes.get(version.key)
        if before is None:
            return engine
        self.put(version, engine)
        return before[1] if before[1] is not engine else None

    def forget(self, version: ModelVersion) -> None:
        """Nobody uses it any more."""
        self._homes.pop(version.key, None)

    def at(self, engine: HostEngine) -> list[ModelVersion]:
        """The versions whose requests go there."""
        return [version for version, home in self._homes.values() if home is engine]

    def wrongly_placed(self) -> list[ModelVersion]:
        """The versions that another host is to serve, now that it can be reached."""
        return [
            version
            for version, home in self._homes.values()
            if home is not self.of_model(version.name)
        ]
