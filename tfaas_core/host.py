"""Host: everything wired for one process."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec

from tfaas_core.codec import Codec
from tfaas_core.config import Config
from tfaas_core.engine.base import Engine, EngineContext, Supervisor, WorkerContext
from tfaas_core.errors import StorageUnavailable
from tfaas_core.models.model import ModelVersion
from tfaas_core.plugins import (
    Plugins,
    choose,
    load_plugins,
)
from tfaas_core.predict.catalog import Catalog
from tfaas_core.predict.example_runs import ExampleRuns
from tfaas_core.predict.predictor import Predictor
from tfaas_core.predict_routes import predict_routes
from tfaas_core.route import Route
from tfaas_core.routing.seam import SealedRoute, sealed
from tfaas_core.runtime import Runtime
from tfaas_core.storage import Storage
from tfaas_core.system.memory import private_bytes
from tfaas_core.uploads.bundle import BundleLimits
from tfaas_core.uploads.publisher import Announce, Publisher

_log = logging.getLogger("tfaas.host")


class ProcessStatus(msgspec.Struct, frozen=True):
    """A process of the server, as ``GET /status`` shows it. ``kind``: parent, http_worker ..."""

    kind: str
    pid: int
    private_bytes: int | None

    @classmethod
    def of(cls, kind: str, pid: int) -> ProcessStatus:
        """Blocks for about a millisecond."""
        return cls(kind, pid, private_bytes(pid))


class ServerStatus(msgspec.Struct, frozen=True):
    """Since when the server runs, and in which processes; those of models are not among them."""

    uptime_s: float
    processes: list[ProcessStatus]


class Seat(msgspec.Struct, frozen=True):
    """A Host's place among the HTTP workers: by itself, unless a parent says otherwise."""

    worker: int = 0
    workers: int = 1
    supervisor: socket.socket | None = None
    announce: Announce | None = None
    look: Callable[[], Awaitable[ServerStatus]] | None = None


class Host:
    """Plugins, codecs, storage, runtimes, and, once started, catalog, engine and publisher.

    Making one reads and checks the configuration and the plugins, and starts nothing. Raises
    ConfigError and PluginError.
    """

    catalog: Catalog
    engine: Engine
    predictor: Predictor
    publisher: Publisher
    example_runs: ExampleRuns

    def __init__(self, config: Config) -> None:
        self.config = config
        self.plugins: Plugins = load_plugins(config.plugins.disabled)
        self.codecs: Mapping[str, Codec[Any]] = self.plugins.codecs(config)
        self.runtimes: Mapping[str, Runtime] = self.plugins.runtimes()
        self.storage: Storage = self._make_storage()
        self._engine_factory = choose("engine", config.engine.kind, self.plugins.engines())

    def _make_storage(self) -> Storage:
        table = self.config.storage
        factory = choose("storage", table.kind, self.plugins.storages())
        return factory(table.rest, self.config.base_dir)

    @property
    def workers(self) -> int:
        """How many HTTP workers the configuration asks for."""
        return self.config.server.workers or len(os.sched_getaffinity(0))

    def supervisor(self) -> Supervisor | None:
        """The engine's part for the parent."""
        return self._engine_factory.supervisor(
            EngineContext(self.config, self.runtimes, self.workers)
        )

    async def start(self, seat: Seat | None = None) -> None:
        """Opens the storage and starts the engine, for one HTTP worker."""
        seat = seat or Seat()
        self._look = seat.look
        self._started_s = time.monotonic()
        with self._patient(seat):
            await asyncio.to_thread(self.storage.open)
        self.engine = self._engine_factory.engine(
            WorkerContext(
                self.config,
                self.runtimes,
                seat.workers,
                seat.worker,
                seat.supervisor,
                self.storage.artifact,
            )
        )
        await self.engine.start()
        self.catalog = Catalog(
            self.storage, self.config.models.default, self.engine.retire, self._make_ready
        )
        self.predictor = Predictor(self.catalog, self.engine, self.config.engine.max_queue_rows)
        self.example_runs = ExampleRuns(self.engine, self.codecs, self.config.engine.max_queue_rows)
        self.publisher = Publisher(
            self.storage,
            self.engine,
            self.runtimes,
            seat.announce or self.catalog.refresh,
            self.catalog.next_moment,
            self.config.models.keep_versions,
            BundleLimits(
                self.config.limits.max_unpacked_bytes, self.config.limits.max_bundle_files
            ),
            self.example_runs,
        )
        with self._patient(seat):
            await self.catalog.load()

    @contextmanager
    def _patient(self, seat: Seat) -> Iterator[None]:
        """Goes on without the storage where a parent will tell when it is back."""
        try:
            yield
        except StorageUnavailable as error:
            if seat.announce is None:
                raise
            _log.warning("the models cannot be read at the moment: %s", error.message)

    async def _make_ready(self, old: ModelVersion, new: ModelVersion) -> None:
        if self.engine.uses(old):
            await self.example_runs.ready(new)

    async def close(self) -> None:
        """Stops what ``start`` started."""
        await self.catalog.close()
        self.predictor.close()
        await self.engine.close()
        await asyncio.to_thread(self.storage.close)

    async def status(self) -> ServerStatus:
        """How the server is, as the parent knows it."""
        if self._look is not None:
            return await self._look()
        own = await asyncio.to_thread(ProcessStatus.of, "http_worker", os.getpid())
        return ServerStatus(round(time.monotonic() - self._started_s, 3), [own])

    def routes(self) -> list[SealedRoute]:
        """All that is served: what the codecs own, and what plugins register.

        Each handler is behind the seam. Raises PluginError where two of them claim the same.
        """
        found = [*predict_routes(self), *self.plugins.routes(self)]
        return [sealed(route, self.owner_of(route)) for route in found]

    def owner_of(self, route: Route) -> str:
        """The module name of the plugin that a route comes from."""
        return self.plugins.owner("route", f"{route.methods[0]} {route.path}")
