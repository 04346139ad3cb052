"""Overview: what the parent knows of how the server is."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import TypeVar

import msgspec

from tfaas_core.engine.base import Supervisor
from tfaas_core.processes.in_parent.sandbox import Sandboxes
from tfaas_core.processes.in_parent.watcher import Watcher
from tfaas_core.processes.in_parent.worker_process import WorkerProcess
from tfaas_core.processes.in_parent.worker_start import WorkerStart
from tfaas_core.status import Fitness, ProcessStatus, ServerStatus
from tfaas_core.system.resources.memory import KnownMemory
from tfaas_core.wiring.composition import Composition

_log = logging.getLogger("tfaas.parent")

T = TypeVar("T")


class Overview:
    """``has_started``: whether all HTTP workers have served. ``is_leaving``: whether it was told to
    stop."""

    def __init__(
        self,
        composition: Composition,
        workers: Mapping[int, WorkerProcess],
        supervisor: Supervisor | None,
        watcher: Watcher,
        sandboxes: Sandboxes,
        start: WorkerStart,
    ) -> None:
        self._composition = composition
        self._workers = workers
        self._supervisor = supervisor
        self._watcher = watcher
        self._sandboxes = sandboxes
        self._start = start
        self._started_s = time.monotonic()
        self._memory = KnownMemory()
        self._failing: set[str] = set()
        self.has_started = False
        self.is_leaving = False

    def fitness(self) -> Fitness:
        """What matters to health; it takes no time to find out."""
        fault = self._watcher.fault
        runtimes = self._composition.runtimes.keys()
        if not fault and runtimes and runtimes <= self._unavailable().keys():
            fault = "no model can be started"
        return Fitness(self.has_started, self.is_leaving, fault)

    def tell_workers(self) -> None:
        """Tells them the fitness, which has changed, before they would be told anyway."""
        for worker in self._workers.values():
            worker.ping()

    async def status(self) -> ServerStatus:
        """All that is known."""
        pids = {os.getpid(): "parent"}
        for worker in self._workers.values():
            if worker.process.pid is not None:
                pids[worker.process.pid] = "http_worker"
        pids |= self._of_supervisor("processes", dict[int, str]) | self._start.server_pids
        processes: list[ProcessStatus] = []
        with suppress(RuntimeError, OSError):  # no thread or no file is left
            sizes = await asyncio.to_thread(self._memory.of, pids)
            processes = [ProcessStatus(kind, pid, sizes[pid]) for pid, kind in pids.items()]
        uptime_s = round(time.monotonic() - self._started_s, 3)
        sandboxes = self._sandboxes.models, self._sandboxes.workers.parts
        return ServerStatus(uptime_s, processes, self._unavailable(), *sandboxes)

    def _unavailable(self) -> dict[str, str]:
        return self._of_supervisor("unavailable", dict[str, str])

    def _of_supervisor(self, method: str, kind: type[T]) -> T:
        """What its method returns; nothing, if it fails: the rest can be told all the same."""
        if self._supervisor is None:
            return kind()
        try:
            said = msgspec.convert(getattr(self._supervisor, method)(), kind)
        except BaseException as error:  # a plugin may call exit()
            part = self._composition.supervisor_part
            if method not in self._failing:
                _log.error("%s", part.blamed(f"{method} of the {part.name}", error), exc_info=error)
            self._failing.add(method)
            return kind()
        self._failing.discard(method)
        return said
