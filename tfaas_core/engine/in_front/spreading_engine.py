"""SpreadingEngine: a RemoteEngine that has nobody to tell it on how many hosts models are to be."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence

from tfaas_core.engine.base import WorkerContext
from tfaas_core.engine.in_front.dialling import FarDoor
from tfaas_core.engine.in_front.remote_engine import RemoteEngine
from tfaas_core.engine.in_front.spread import Spread, SpreadSettings
from tfaas_core.system.output.one_line import described

_log = logging.getLogger("tfaas.engine")


class SpreadingEngine(RemoteEngine):
    """Decides by what it sees: the rows that it has in flight itself, for each HTTP worker."""

    def __init__(
        self, context: WorkerContext, doors: Sequence[FarDoor], settings: SpreadSettings
    ) -> None:
        super().__init__(context, doors, settings.calm_s)
        self._settings, self._spread = settings, Spread(settings)
        self._told = ""

    async def start(self) -> None:
        await super().start()
        if self._settings.most > 1:
            self._tasks.spawn(self._look_after())

    async def _look_after(self) -> None:
        while True:
            await asyncio.sleep(self._settings.look_s)
            try:
                self._look()
            except Exception as error:  # all else goes on
                if (why := described(error)) != self._told:
                    self._told = why
                    _log.exception("no model gets further hosts at the moment")

    def _look(self) -> None:
        workers = self._context.workers
        rows = {name: workers * count for name, count in self._homes.rows().items()}
        self.spread(self._spread.look(rows, time.monotonic()))
