"""Moves: has versions loaded by the hosts that they belong to, and then used there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from tfaas_core.engine.in_front.dialling import HostFullError
from tfaas_core.engine.in_front.homes import Homes
from tfaas_core.engine.in_front.host_engine import HostEngine
from tfaas_core.models.model import ModelVersion
from tfaas_core.system.loop.tasks import Tasks

_log = logging.getLogger("tfaas.engine")


class Moves:
    """Of one HTTP worker. A version that cannot move stays where it is, and the log says why."""

    def __init__(self, homes: Homes, tasks: Tasks) -> None:
        self._homes, self._tasks = homes, tasks
        self._moving: set[str] = set()

    def begin(self, version: ModelVersion) -> None:
        """Moves it soon, unless it is moving already."""
        if version.key not in self._moving:
            self._moving.add(version.key)
            self._tasks.spawn(self._begun(version))

    async def _begun(self, version: ModelVersion) -> None:
        try:
            await self.move([version])
        finally:
            self._moving.discard(version.key)

    async def move(self, versions: Iterable[ModelVersion]) -> None:
        """Returns once each is used where it belongs, and there alone."""
        for version in versions:
            asked: set[HostEngine] = set()
            try:
                engines = await self._ready(version, asked)
            except Exception as error:
                _log.warning("%s stays where it is: %s", version.reference, error)
            else:
                asked.update(self._homes.moved(version, engines))
            for engine in asked:
                if not self._homes.has(version, engine):
                    engine.let_go(version)

    async def _ready(self, version: ModelVersion, asked: set[HostEngine]) -> list[HostEngine]:
        """Has it loaded where it belongs; what that is may change meanwhile.

        ``asked`` gets all hosts that were asked to load it. Raises what the first host does if none
        can.
        """
        ready: list[HostEngine] = []
        failed: dict[HostEngine, Exception] = {}
        while ready != (wanted := [e for e in self._homes.belongs(version) if e not in failed]):
            new = [engine for engine in wanted if engine not in ready]
            asked.update(new)
            found = await asyncio.gather(
                *[engine.ready(version) for engine in new], return_exceptions=True
            )
            for engine, outcome in zip(new, found, strict=True):
                if isinstance(outcome, bool):
                    ready.append(engine)
                elif not isinstance(outcome, Exception):
                    raise outcome
                elif not isinstance(outcome, HostFullError):  # then others belong there
                    failed[engine] = outcome
            ready = [engine for engine in wanted if engine in ready]
        if not ready:
            raise next(iter(failed.values()))
        for engine, error in failed.items():
            _log.warning("%s is not on host %s: %s", version.reference, engine.address, error)
        return ready
