"""Host: everything wired for one HTTP worker."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import cached_property
from typing import Any

import msgspec

from tfaas_core.codec import Codec
from tfaas_core.config import Config
from tfaas_core.decoding.decoder import Decoders
from tfaas_core.decoding.uses import UsesDecoders
from tfaas_core.engine.base import Engine
from tfaas_core.engine.resting import RestingEngine
from tfaas_core.errors import StorageUnavailable
from tfaas_core.models.model import ModelVersion
from tfaas_core.models.paths import ModelPaths
from tfaas_core.plugins import BUILTIN_PLUGINS, Plugins
from tfaas_core.predict.catalog import Catalog
from tfaas_core.predict.example_runs import ExampleRuns
from tfaas_core.predict.inference import InferenceRequest, InferenceResult
from tfaas_core.predict.predictor import Predictor
from tfaas_core.predict.target import Target
from tfaas_core.predict_routes import answer, predict_routes
from tfaas_core.route import Request, Response, Route
from tfaas_core.routing.cors import Cors
from tfaas_core.routing.event_bus import EventBus
from tfaas_core.routing.guards import Guards
from tfaas_core.routing.in_flight import InFlight
from tfaas_core.routing.observers import Observers
from tfaas_core.routing.proxies import Proxies
from tfaas_core.routing.sealed_services import SealedServices
from tfaas_core.routing.seam import SealedRoute, sealed
from tfaas_core.runtime import Runtime
from tfaas_core.shared_memory import SharedMemory, shared_memories
from tfaas_core.status import Figures, Fitness, ProcessStatus, ServerStatus
from tfaas_core.system.network.tls import LiveTls
from tfaas_core.system.output import logs
from tfaas_core.uploads.bundle import BundleLimits
from tfaas_core.uploads.publisher import Publisher
from tfaas_core.uploads.quota import Quota
from tfaas_core.wiring.composition import Composition
from tfaas_core.wiring.worker_place import WorkerPlace

_log = logging.getLogger("tfaas.host")


class Host:
    """Everything that one HTTP worker needs, whole from the beginning to the end.

    ``started`` makes one that serves, ``at_rest`` one of which nothing is started.
    """

    worker: int
    """The number of this HTTP worker, from 0; one that replaces another has the same."""
    figures: Figures | None
    """Set by a plugin that counts, when it begins to."""

    def __init__(
        self,
        composition: Composition,
        engine: Engine,
        place: WorkerPlace,
        bus: EventBus | None = None,
        in_flight: InFlight | None = None,
    ) -> None:
        """``bus`` takes events of the engine, and those of its own."""
        config = self.config = composition.config
        self.tls = None if config.tls_files is None else LiveTls(config.tls_files)
        self.plugins: Plugins = composition.plugins
        self.codecs: Mapping[str, Codec[Any]] = composition.codecs
        self.runtimes: Mapping[str, Runtime] = composition.runtimes
        self.storage, self.engine = composition.storage, engine
        self._bus = bus or EventBus(place.tell)
        self.catalog = Catalog(
            self.storage,
            config.models.default,
            engine.retire,
            self._make_ready,
            self._bus.switched,
            ModelPaths(config.server.base, elsewhere=config.server.has_admin_port),
        )
        self.in_flight = in_flight or InFlight(config.limits.max_bytes_in_flight)
        rows, self._since_s = config.engine.max_queue_rows, time.monotonic()
        self.predictor = Predictor(self.catalog, engine, rows, self.in_flight)
        self.example_runs = ExampleRuns(engine, self.codecs, rows)
        self.publisher = self._new_publisher(place)
        self.proxies = Proxies.of(config.server.proxies, config.server.client_address_header)
        self.cors = Cors(**msgspec.structs.asdict(config.cors)) if config.cors.origins else None
        self.shared: dict[str, Any] = {}
        """What a plugin's hooks and handlers hand to each other, by the plugin's name."""
        self.memory: Mapping[str, SharedMemory] = (
            shared_memories(self.plugins.memory(config)) if place.memory is None else place.memory
        )
        """What plugins share with all HTTP workers, by the name that they registered it under."""
        self._look, self.worker, self.figures = place.look, place.worker, None
        self.fitness: Callable[[], Fitness] = place.fitness
        """How the server is, as far as health goes: known, without asking anybody."""

    def _new_publisher(self, place: WorkerPlace) -> Publisher:
        limits, models = self.config.limits, self.config.models
        quota = Quota(self.storage, self.config.storage.quota_bytes, models.max_models)
        return Publisher(
            self.storage,
            self.engine,
            self.runtimes,
            place.announce or self.catalog.refresh,
            self.catalog.next_moment,
            models.keep_versions,
            BundleLimits.of(limits),
            self.example_runs,
            self._bus.tell,
            ModelPaths(self.config.server.base),
            quota if quota.has_bound else None,
        )

    @classmethod
    @asynccontextmanager
    async def started(
        cls, composition: Composition, place: WorkerPlace | None = None
    ) -> AsyncIterator[Host]:
        """A host that serves: its storage is open, its engine runs, and its models are known.

        What plugins do beside serving is entered last. At the end of the block, or if the host
        cannot be started, all that was started is ended, the last first; what fails to is logged.
        Raises ConfigError, PluginError, PartFailedError, and what storages and engines may.
        """
        place, kept = place or WorkerPlace(), composition.storage
        storage, engine_part = composition.storage_part, composition.engine_part
        async with AsyncExitStack() as started:
            with _patient(place):
                open_it = kept.open if place.announce is None else kept.reopen
                await asyncio.to_thread(storage.start, "opening", open_it)
            started.push_async_callback(asyncio.to_thread, storage.end, kept.close)
            bus = EventBus(place.tell)
            in_flight = InFlight(composition.config.limits.max_bytes_in_flight)
            engine = composition.engine(place, bus.tell, in_flight)
            started.push_async_callback(engine_part.aend, engine.close)
            with engine_part.starting("starting"):
                await engine.start()
            host = cls(composition, engine, place, bus, in_flight)
            for codec in composition.codecs.values():
                if place.open_decoder is not None and isinstance(codec, UsesDecoders):
                    shared_bytes = codec.decoding_shared_bytes
                    decoders = Decoders(codec.decoding, place.open_decoder, shared_bytes)
                    codec.use(decoders)
                    started.callback(decoders.close)
            started.callback(host.predictor.close)
            started.callback(host.publisher.close)
            started.push_async_callback(host.catalog.close)
            with _patient(place), storage.starting("reading"):
                await host.catalog.load()
            for lifespan in host.plugins.lifespans(host):
                await started.enter_async_context(lifespan)
            started.callback(lambda: bus.observers.tell_now())
            yield host

    @classmethod
    def at_rest(cls, composition: Composition) -> Host:
        """A host that only tells its routes: its storage is closed, and its engine runs nothing.

        Asks plugins for their lifespans, and enters none. Raises PluginError.
        """
        host = cls(composition, RestingEngine(), WorkerPlace())
        host.plugins.lifespans(host)
        return host

    def settings(self, name: str) -> Any:
        """``[plugins.NAME]``, as the Struct that a plugin said it is. Raises ConfigError."""
        return self.config.settings(name)

    async def predict(
        self,
        request: Request,
        codec: Codec[Any],
        target: Target | None = None,
        answering: Codec[Any] | None = None,
    ) -> Response:
        """Answers as predict routes do, for a route of a plugin's own.

        ``codec``, one of ``codecs``, reads the request, and writes the answer, unless ``answering``
        is to. ``target`` is the model that the path names, as ``target_of`` finds it in the
        request's ``path_fields``; None: the body names it, or it is the default one. The answer's
        ``TFaaS-Model`` says which version it is of. Guards are asked whether the request may go to
        the model, and observers told of it. Raises TfaasError if there is no answer:
        UnsupportedMediaType if the codec does not read what the request announces.
        """
        return await answer(self, codec, request, target, answering)

    def resolve(self, request: Request, target: Target) -> Coroutine[Any, Any, ModelVersion]:
        """The version, with its signature, that ``target`` names, for a protocol of a plugin's own.

        Guards are asked whether the request may go to the model, and observers told of it. Raises
        what they raise, UnknownModel, UnknownVersion and StorageUnavailable, and DoesNotFit for a
        signature that the model has not.
        """
        return self.predictor.resolve(target, request.visit)

    def infer(
        self, asked: InferenceRequest, target: Target | None = None
    ) -> Coroutine[Any, Any, InferenceResult]:
        """Runs what a protocol of a plugin's own has made of a request, with others of all kinds.

        ``asked.version`` is what ``resolve`` gave for ``target``. If it is removed or replaced
        before it is loaded, what ``target`` names then answers; None: that version alone may.
        Raises TfaasError if there is no answer.
        """
        return self.predictor.infer(asked, target)

    async def _make_ready(self, old: ModelVersion, new: ModelVersion) -> None:
        if self.engine.uses(old):
            await self.example_runs.ready(new)

    async def status(self) -> ServerStatus:
        """How the server is, as the parent knows it."""
        if self._look is not None:
            return await self._look()
        own = await asyncio.to_thread(ProcessStatus.of, "http_worker", os.getpid())
        return ServerStatus(round(time.monotonic() - self._since_s, 3), [own])

    @cached_property
    def observers(self) -> Observers:
        """All observers of plugins, as one. Raises PluginError."""
        self._bus.observers = observers = self.plugins.observers(self)
        return observers

    @cached_property
    def guards(self) -> Guards:
        """All guards of plugins, as one. Raises PluginError, and what they may."""
        return self.plugins.guards(self)

    @property
    def live_tables(self) -> set[str]:
        """The tables ``[plugins.NAME]`` that ``renew`` takes."""
        owners, renewed = self.plugins.owners("section"), self.guards.renewed
        return {name for name, owner in owners.items() if owner in renewed}

    def renew(self, config: Config) -> None:
        """Takes what can change while it serves. What it raises says what it could not take."""
        if self.tls is not None and (files := config.tls_files) is not None:
            self.tls.take(files)
        self.guards.renew(config)
        self.config = config
        self.publisher.limits = BundleLimits.of(config.limits)
        logs.configure(config.server.log_level, config.server.log_format, *config.plugin_folders)

    def routes(self) -> list[SealedRoute]:
        """All that is served: what the codecs own, and what plugins register.

        Each handler is behind the seam. Plugins are asked once, however many ports there are.
        Raises PluginError if two of them claim the same.
        """
        return self._routes

    @cached_property
    def _routes(self) -> list[SealedRoute]:
        plugins = frozenset(plugin.module for plugin in self.plugins.found)
        watching = self.guards, self.observers, self.proxies, self.cors
        # Their handlers are the server's own: what comes from a codec, its traceback tells.
        routes = [sealed(route, "", plugins, True, *watching) for route in predict_routes(self)]
        for route in self.plugins.routes(self):
            owner = self._owner(route)
            routes.append(sealed(route, owner, plugins, owner in BUILTIN_PLUGINS, *watching))
        return routes

    def services(self) -> SealedServices:
        """What clients call by name; each method is behind the seam. Raises as ``routes``."""
        return self._services

    @cached_property
    def _services(self) -> SealedServices:
        return SealedServices.of(
            self.plugins.services(self),
            frozenset(plugin.module for plugin in self.plugins.found),
            BUILTIN_PLUGINS,
            (self.guards, self.observers, self.proxies),
            manages=not self.config.server.has_admin_port,
        )

    def _owner(self, route: Route) -> str:
        return self.plugins.owner("route", f"{route.methods[0]} {route.path}")


@contextmanager
def _patient(place: WorkerPlace) -> Iterator[None]:
    """Goes on without the storage if a parent will tell when it is back."""
    try:
        yield
    except StorageUnavailable as error:
        if place.announce is None:
            raise
        _log.warning("the models cannot be read at the moment: %s", error.message)
