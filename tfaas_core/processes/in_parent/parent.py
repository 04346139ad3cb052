"""The parent, ``tfaas serve`` itself: keeps HTTP workers alive, owns the engine's supervisor. It
imports neither TensorFlow nor Sanic, and no model."""

from __future__ import annotations

import asyncio
import logging
import math
import signal
import time
from contextlib import AsyncExitStack

from tfaas_core import __version__
from tfaas_core.engine.base import Supervisor
from tfaas_core.errors import StartupError
from tfaas_core.processes.in_parent.overview import Overview
from tfaas_core.processes.in_parent.ports import Ports
from tfaas_core.processes.in_parent.renewal import MakeRenewal
from tfaas_core.processes.in_parent.sandbox import Sandboxes
from tfaas_core.processes.in_parent.sweeping import sweep_storage
from tfaas_core.processes.in_parent.teller import Teller
from tfaas_core.processes.in_parent.watcher import Watcher
from tfaas_core.processes.in_parent.worker_process import (
    WorkerProcess,
    follow_changes,
    listen_to_hearts,
    refreshed,
    renewed,
)
from tfaas_core.processes.in_parent.worker_server import WorkerServer
from tfaas_core.processes.in_parent.worker_start import WorkerStart
from tfaas_core.processes.messages import (
    Announce,
    Announced,
    CannotStart,
    Drain,
    FromWorker,
    Happened,
    Look,
    Looked,
    NeedDecoder,
    Notice,
    Pong,
    Serving,
)
from tfaas_core.system.lives.backoff import Backoff
from tfaas_core.system.lives.signals import hang_ups_taken
from tfaas_core.system.loop.stopping import until_stopped
from tfaas_core.system.loop.tasks import Tasks
from tfaas_core.system.output.one_line import described
from tfaas_core.wiring.composition import Composition

_DRAIN_GRACE_S = 5.0

_log = logging.getLogger("tfaas.parent")


class Parent:
    """Keeps everything running until it is told to stop, and takes everything down with it."""

    def __init__(
        self,
        composition: Composition,
        ports: Ports,
        demo: bool,
        make_renewal: MakeRenewal,
        sandboxes: Sandboxes,
        server: WorkerServer,
    ) -> None:
        """``make_renewal`` makes it, of what tells all workers."""
        self._renewal = make_renewal(lambda config: renewed(self._workers.values(), config))
        self._composition, self._ports, self._sandboxes = composition, ports, sandboxes
        cell = sandboxes.workers.cell
        self._start = WorkerStart(composition, ports, demo, self._heard, cell, server)
        self._workers: dict[int, WorkerProcess] = {}
        self._teller = Teller()
        self._announced = False
        self._notices: list[str] = []
        self._backoff = Backoff()
        self._storage_changed = asyncio.Event()
        self._tasks = Tasks(_log)
        self._supervisor: Supervisor | None = None
        self._stop = asyncio.Event()
        self._failure: StartupError | None = None
        self._overview: Overview

    @property
    def has_served(self) -> bool:
        """Whether its addresses were printed."""
        return self._announced

    async def run(self) -> None:
        """Serves until SIGTERM or Ctrl-C. Raises StartupError if a worker cannot start.

        Whatever ends it, all that was started is ended.
        """
        loop = asyncio.get_running_loop()
        for signal_number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signal_number, self._told_to_stop)
        self._supervisor = self._composition.supervisor(self._teller.tell)
        storage = self._composition.storage_part, self._composition.storage
        watcher = Watcher(*storage, self._storage_changed.set)
        self._overview = Overview(
            *(self._composition, self._workers, self._supervisor, watcher),
            *(self._sandboxes, self._start),
        )
        async with AsyncExitStack() as started:
            started.enter_context(hang_ups_taken(self._renewal.ask))
            if self._supervisor is not None:
                part = self._composition.supervisor_part
                started.push_async_callback(part.aend, self._supervisor.close)
                await until_stopped(self._stop, self._start_supervisor(self._supervisor))
            if self._stop.is_set():
                return
            watcher.start()
            started.push_async_callback(self._tasks.cancel)
            started.push_async_callback(self._end, watcher)
            await until_stopped(self._stop, self._start_workers())
            changes = follow_changes(self._workers, self._storage_changed, self._stop)
            self._tasks.spawn(changes)
            self._tasks.spawn(self._renewal.run())
            self._tasks.spawn(listen_to_hearts(self._workers, self._stop))
            await self._stop.wait()
        if self._failure is not None:
            raise self._failure

    async def _start_supervisor(self, supervisor: Supervisor) -> None:
        with self._composition.supervisor_part.starting("starting"):
            await supervisor.start()

    # Workers: started, heard, replaced.

    async def _start_workers(self) -> None:
        for number in range(self._composition.workers):
            await self._start_worker(number)

    async def _start_worker(self, number: int) -> None:
        config, fitness = self._renewal.config, self._overview.fitness
        worker = await self._start.start(number, self._supervisor, config, fitness)
        self._workers[number] = worker
        asyncio.get_running_loop().add_reader(worker.process.sentinel, self._ended, worker)
        # What the others were told meanwhile, it has missed.
        if self._stop.is_set():
            worker.kill()
        elif self._renewal.config is not config:
            self._tasks.spawn(renewed([worker], self._renewal.config))

    def _heard(self, worker: WorkerProcess, message: FromWorker, _descriptors: list[int]) -> None:
        match message:
            case Serving():
                worker.is_serving = True
                self._teller.serves(worker, message.hears_events)
                # It may have read the storage just before a change that it was not told of.
                self._storage_changed.set()
                worker.ping()
                self._announce_addresses()
            case CannotStart():
                self._cannot_start(worker, message.message)
            case Notice():
                self._notices.append(message.line)
                self._print_notices()
            case Announce():
                self._tasks.spawn(self._announce(worker, message))
            case Happened():
                self._teller.heard(worker, message.event)
            case Pong():
                worker.heartbeat.answered()
            case Look():
                self._tasks.spawn(self._look(worker, message))
            case NeedDecoder():
                self._start.lend_decoder(worker, message)

    def _announce_addresses(self) -> None:
        serving = [worker for worker in self._workers.values() if worker.is_serving]
        if self._stop.is_set() or self._announced or len(serving) < self._composition.workers:
            return
        self._announced = self._overview.has_started = True
        self._overview.tell_workers()
        addresses = self._ports.announced(self._renewal.config.server.base)
        print(f"TFaaS {__version__} serves {addresses}", flush=True)
        self._print_notices()

    def _print_notices(self) -> None:
        """Prints what workers had to say, the address always first."""
        while self._announced and self._notices:
            print(self._notices.pop(0), flush=True)

    def _ended(self, worker: WorkerProcess) -> None:
        asyncio.get_running_loop().remove_reader(worker.process.sentinel)
        self._tasks.spawn(self._died(worker))

    async def _died(self, worker: WorkerProcess) -> None:
        self._start.ended(worker.number)
        self._teller.gone(worker)
        ending = await worker.buried()
        del self._workers[worker.number]
        if self._stop.is_set():
            return
        if not worker.is_serving and not self._announced:
            self._cannot_start(worker, f"HTTP worker {worker.number} {ending} before it served")
            return
        if not worker.cannot_start:
            _log.warning("HTTP worker %d died: it %s", worker.number, ending)
        self._tasks.spawn(asyncio.to_thread(sweep_storage, self._composition))
        self._tasks.spawn(self._replace(worker))

    def _cannot_start(self, worker: WorkerProcess, why: str) -> None:
        """Ends a start. A server that has served goes on, and tries again to start the worker."""
        worker.cannot_start = True
        worker.process.kill()
        if self._stop.is_set():
            return
        if self._announced:
            _log.error("HTTP worker %d cannot start: %s", worker.number, why)
            return
        self._failure = self._failure or StartupError(why)
        # Those that serve are to leave what plugins have entered there.
        self._kill_workers(but_serving=True)
        self._stop.set()

    async def _replace(self, worker: WorkerProcess) -> None:
        self._backoff.died(worker.number)
        await asyncio.sleep(self._backoff.delay_s(worker.number))
        if self._stop.is_set():
            return
        # It may have died between storing a version and telling the others.
        self._storage_changed.set()
        try:
            await self._start_worker(worker.number)
        except Exception as error:
            if self._stop.is_set():
                return
            _log.error("HTTP worker %d cannot be started: %s", worker.number, described(error))
            self._tasks.spawn(self._replace(worker))

    # Telling every worker.

    async def _announce(self, worker: WorkerProcess, message: Announce) -> None:
        is_known = False
        try:
            is_known = await refreshed(self._workers.values(), message.name, self._stop)
        finally:
            if not is_known:
                self._storage_changed.set()
            worker.send(Announced(message.call))

    async def _look(self, worker: WorkerProcess, message: Look) -> None:
        worker.send(Looked(message.call, await self._overview.status()))

    # The end.

    async def _end(self, watcher: Watcher) -> None:
        self._stop.set()
        await asyncio.gather(self._drain(), watcher.stop())
        self._start.close()

    def _told_to_stop(self) -> None:
        delay_s = self._renewal.config.server.drain_delay_s
        if self._stop.is_set() or self._overview.is_leaving:
            _log.warning("told to stop again: not waiting any longer")
            self._kill_workers()
        elif self._announced and delay_s:
            self._overview.is_leaving = True
            self._overview.tell_workers()
            asyncio.get_running_loop().call_later(delay_s, self._stop.set)
            return
        self._stop.set()

    async def _drain(self) -> None:
        # The workers accept those who are in already.
        self._ports.shut()
        for worker in self._workers.values():
            worker.send(Drain())
        self._ports.close()
        start_s = time.monotonic()
        deadline_s = start_s + self._composition.drain_limit_s + _DRAIN_GRACE_S
        while self._workers:
            if time.monotonic() > start_s + _DRAIN_GRACE_S:
                # Those that still start have nothing to answer, and may hang in a plugin.
                self._kill_workers(but_serving=True)
            if time.monotonic() > deadline_s:
                _log.warning("%d HTTP workers do not end, and are killed", len(self._workers))
                self._kill_workers()
                deadline_s = math.inf
            await asyncio.sleep(0.02)

    def _kill_workers(self, but_serving: bool = False) -> None:
        for worker in self._workers.values():
            if not (but_serving and worker.is_serving):
                worker.kill()
