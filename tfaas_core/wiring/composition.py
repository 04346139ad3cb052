"""Composition: what the configuration and the plugins give every process of the server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tfaas_core.codec import Codec
from tfaas_core.config import Config
from tfaas_core.engine.base import Engine, EngineContext, EngineFactory, Supervisor, WorkerContext
from tfaas_core.errors import ConfigError
from tfaas_core.events import Tell, tell_nobody
from tfaas_core.models.model import ModelVersion
from tfaas_core.plugins import Plugins, plugins_of
from tfaas_core.plugins.finding import BUILTIN_PLUGINS
from tfaas_core.plugins.lifespan import LEAVE_LIMIT_S
from tfaas_core.plugins.listeners import OwnedListener
from tfaas_core.plugins.owned_part import OwnedPart
from tfaas_core.predict.example_runs import inputs_of_examples
from tfaas_core.predict.guarded_codec import GuardedCodec
from tfaas_core.routing.in_flight import InFlight
from tfaas_core.runtime import Runtime
from tfaas_core.storage import Storage
from tfaas_core.system.network.address import is_loopback
from tfaas_core.tensors import Array
from tfaas_core.wiring.worker_place import WorkerPlace


class Composition(msgspec.Struct, frozen=True):
    """The codecs, runtimes, storage and engine that a configuration asks for; none is started.

    The parent and the commands need no more; an HTTP worker makes its Host of it.
    """

    config: Config
    plugins: Plugins
    codecs: Mapping[str, Codec[Any]]
    runtimes: Mapping[str, Runtime]
    storage: Storage
    engine_factory: EngineFactory

    @classmethod
    def of(cls, config: Config, plugins: Plugins | None = None) -> Composition:
        """Reads and checks the configuration and the plugins. Raises ConfigError, PluginError.

        ``plugins`` are those of ``config``, if they are loaded already.
        """
        plugins = plugins or plugins_of(config)
        config = plugins.configured(config)
        return cls(
            config,
            plugins,
            {name: _guarded(codec, plugins) for name, codec in plugins.codecs(config).items()},
            plugins.runtimes(),
            plugins.storage(config),
            plugins.engine(config),
        )

    @property
    def workers(self) -> int:
        """How many HTTP workers the configuration asks for."""
        return self.config.server.worker_count

    @property
    def drain_limit_s(self) -> float:
        """How long an HTTP worker may answer on, and leave what plugins have entered.

        Those are known once a host was made, and listeners once plugins were asked for them.
        """
        # All listeners are left at once.
        left = len(self.plugins.owners("lifespan")) + bool(self.plugins.owners("listener"))
        return self.config.server.request_timeout_s + LEAVE_LIMIT_S * left

    @property
    def storage_part(self) -> OwnedPart:
        """The storage as a part of a plugin."""
        return self.plugins.part("storage", self.config.storage.kind)

    @property
    def engine_part(self) -> OwnedPart:
        """The engine as a part of a plugin."""
        return self.plugins.part("engine", self.config.engine.kind)

    @property
    def supervisor_part(self) -> OwnedPart:
        """The engine's supervisor as a part of a plugin."""
        engine = self.engine_part
        return OwnedPart(engine.plugin, f"supervisor of the {engine.name}")

    def check_reach(self, listeners: Sequence[OwnedListener]) -> None:
        """Raises ConfigError if others can reach the server, and nobody said that they may.

        Guards are known once a host was asked for its routes.
        """
        server = self.config.server
        if server.open or self.plugins.has_guards:
            return
        for host in (server.host, *(owned.listener.host for owned in listeners)):
            if not _is_for_this_machine(host):
                raise ConfigError(
                    f"on {host}, others can reach the server, and no guard asks who they are; set "
                    "up tokens in [plugins.token_guard], listen on 127.0.0.1, or say "
                    "`server.open = true` if everybody may - at `$.server.open`"
                )

    def supervisor(self, tell: Tell = tell_nobody) -> Supervisor | None:
        """A new supervisor of the engine, for the parent, which tells of events by ``tell``."""
        return self.engine_factory.supervisor(self.engine_context(tell))

    def engine(
        self, place: WorkerPlace, tell: Tell = tell_nobody, in_flight: InFlight | None = None
    ) -> Engine:
        """A new engine, for one HTTP worker, which tells of events by ``tell``."""
        return self.engine_factory.engine(
            WorkerContext(
                self.config,
                self.runtimes,
                place.workers,
                place.worker,
                place.engine_socket,
                # Looked up at each call: a plugin may have it timed.
                lambda version: self.storage.artifact(version),
                self._examples,
                in_flight,
                owners=self.plugins.owners("runtime"),
                built_in=BUILTIN_PLUGINS,
                tell=tell,
            )
        )

    def sandbox(self) -> dict[str, str]:
        """What confines models, as the engine tells."""
        return self.engine_factory.sandbox(self.engine_context())

    def examine_runtimes(self) -> dict[str, str]:
        """Why models of which runtimes cannot be started, as the engine finds out by trying it."""
        return self.engine_factory.examine(self.engine_context())

    def engine_context(self, tell: Tell = tell_nobody) -> EngineContext:
        """What an engine may use, but for an HTTP worker's part."""
        return EngineContext(
            self.config,
            self.runtimes,
            self.workers,
            owners=self.plugins.owners("runtime"),
            built_in=BUILTIN_PLUGINS,
            stored_runtimes=self._stored_runtimes,
            tell=tell,
        )

    def _examples(self, version: ModelVersion) -> list[list[Array]]:
        max_rows = self.config.engine.max_queue_rows
        return inputs_of_examples(self.codecs, version, max_rows)

    def _stored_runtimes(self) -> set[str]:
        return {version.runtime for model in self.storage.list() for version in model.versions}


def _is_for_this_machine(host: str) -> bool:
    try:
        return is_loopback(host)
    except (OSError, ValueError):
        return True  # There is no such address: who binds it says so.


def _guarded(codec: Codec[Any], plugins: Plugins) -> Codec[Any]:
    """Behind a guard, unless it is one of ours: those cost every request less without."""
    owner = plugins.owner("codec", codec.name)
    return codec if owner in BUILTIN_PLUGINS else GuardedCodec(codec, owner)
