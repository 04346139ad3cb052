"""Plugins: what the active plugins register, each thing once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec
import pluggy

from tfaas_core.codec import Codec
from tfaas_core.config import Config
from tfaas_core.engine.base import EngineFactory
from tfaas_core.errors import PluginError, StartupError
from tfaas_core.guard import Guard
from tfaas_core.listener import Listener
from tfaas_core.observer import Observer
from tfaas_core.plugins import checks, sections
from tfaas_core.plugins.calls import make, shown
from tfaas_core.plugins.guarded_engine import GuardedEngineFactory
from tfaas_core.plugins.inquiry import Inquiry, OnError
from tfaas_core.plugins.lifespan import HOOK as LIFESPAN
from tfaas_core.plugins.lifespan import Lifespan
from tfaas_core.plugins.listeners import OwnedListener, wrong_together
from tfaas_core.plugins.owned_part import OwnedPart
from tfaas_core.plugins.paths import model_predict_paths, predict_paths
from tfaas_core.plugins.plugin import Plugin, broken
from tfaas_core.plugins.registrations import Registration, Registrations
from tfaas_core.route import Route
from tfaas_core.routing.guards import Guards
from tfaas_core.routing.observers import Observers
from tfaas_core.runtime import Runtime
from tfaas_core.service import Service
from tfaas_core.storage import Storage, StorageFactory
from tfaas_core.system.output.one_line import one_line

T = TypeVar("T")


class Plugins:
    """The active plugins. Each method asks them anew, and checks what they register.

    What is wrong with it goes to ``on_error``, and is left out.
    """

    def __init__(
        self, manager: pluggy.PluginManager, found: Sequence[Plugin], on_error: OnError
    ) -> None:
        self.found = tuple(found)
        """Every plugin, in the order in which they are asked, disabled ones included."""
        self.has_guards = False
        """Whether there are guards that know who asks, once they were asked for."""
        self._inquiry = Inquiry(manager, found, on_error)
        self._registrations = Registrations(found)

    def sections(self) -> dict[str, type[msgspec.Struct]]:
        """What ``[plugins.NAME]`` is, by name. Raises PluginError, as all methods here do."""
        hook, check = "tfaas_config_sections", checks.wrong_with_section
        return self._named(hook, "section", "Struct classes", checks.is_struct, check)

    def configured(self, config: Config) -> Config:
        """``config`` with the tables of plugins, checked. Raises ConfigError, too."""
        kinds = self.sections()
        for unknown in sections.unknown_sections(config, kinds):
            self._inquiry.on_error(unknown)
        read: dict[str, msgspec.Struct] = {}
        for name, kind in kinds.items():
            plugin = self._registrations.owner("section", name)
            reading = partial(sections.read_section, config, name, kind, plugin)
            try:
                read[name] = make(plugin, f"reading [plugins.{name}]", kind, reading)
            except StartupError as error:
                self._inquiry.on_error(error)
                # A command that goes on has told what is wrong: the defaults tell no more.
                with suppress(StartupError):
                    read[name] = make(plugin, f"making [plugins.{name}]", kind, kind)
        tables = sections.engine_tables(config, self.engines(), self._inquiry.on_error)
        return msgspec.structs.replace(config, sections=read, engine_tables=tables)

    def codecs(self, config: Config) -> dict[str, Codec[Any]]:
        """Every codec by name, in order."""
        hook = "tfaas_register_codecs"
        codecs: dict[str, Codec[Any]] = {}
        self._registrations.forget(hook)
        for plugin, codec in self._inquiry.objects(hook, Codec, config=config):
            check = partial(checks.wrong_with_codec, codec)
            if self._inquiry.is_right(plugin, hook, check) and self._add_codec(plugin, hook, codec):
                codecs[codec.name] = codec
        return codecs

    def storages(self) -> dict[str, StorageFactory]:
        """Every storage factory by kind."""
        return self._kinds("storage", "callable", callable)

    def runtimes(self) -> dict[str, Runtime]:
        """Every runtime by name."""
        return self._kinds(
            "runtime", "Runtime", lambda v: isinstance(v, Runtime), checks.wrong_with_runtime
        )

    def engines(self) -> dict[str, EngineFactory]:
        """Every engine factory by kind."""
        return self._kinds("engine", "EngineFactory", lambda v: isinstance(v, EngineFactory))

    def guards(self, host: object) -> Guards:
        """The plugins' guards, in order; ``host`` is the Host that they get."""
        guards = Guards(self._owned("guard", Guard, host))
        self.has_guards = guards.know_who_asks
        return guards

    def observers(self, host: object) -> Observers:
        """The plugins' observers, in order; ``host`` is the Host that they get."""
        return Observers(self._owned("observer", Observer, host))

    def routes(self, host: object) -> list[Route]:
        """The plugins' routes, in order; those of codecs are not among them.

        ``host`` is the Host that their handlers get; nothing here looks into it.
        """
        hook = "tfaas_register_routes"
        routes: list[Route] = []
        self._registrations.forget(hook)
        for plugin, route in self._inquiry.objects(hook, Route, host=host):
            check = partial(checks.wrong_with_route, route)
            if self._inquiry.is_right(plugin, hook, check) and self._add_route(plugin, hook, route):
                routes.append(route)
        return routes

    def services(self, host: object) -> list[tuple[Service, str]]:
        """The plugins' services, in order, each with the module of its plugin."""
        asked = self._claimed("service", Service, checks.wrong_with_service, host=host)
        return [(service, plugin.module) for plugin, service in asked]

    def lifespans(self, host: object) -> list[Lifespan]:
        """What plugins do beside serving ``host``, in order; none is entered."""
        lifespans: list[Lifespan] = []
        self._registrations.forget(LIFESPAN)
        expected = "an async context manager, as `@asynccontextmanager` makes them"
        for plugin, manager in self._inquiry.singles(
            LIFESPAN, AbstractAsyncContextManager, expected, host=host
        ):
            if self._add(Registration(plugin, LIFESPAN, "lifespan", plugin.module)):
                lifespans.append(Lifespan(plugin, manager))
        return lifespans

    def listeners(self, config: Config) -> list[OwnedListener]:
        """Where the server listens beside its own port, in order."""
        asked = self._claimed("listener", Listener, checks.wrong_with_listener, config=config)
        listeners = [OwnedListener(plugin, listener) for plugin, listener in asked]
        for error in wrong_together(config, listeners):
            self._inquiry.on_error(error)
        return listeners

    def memory(self, config: Config) -> dict[str, int]:
        """How many bytes of memory HTTP workers share, by name."""
        hook, expected = "tfaas_register_memory", "sizes in bytes, from 1 to 2**40"
        return self._named(hook, "memory", expected, checks.is_memory_size, config=config)

    def written(self, config: Config) -> list[Path]:
        """What HTTP workers change on the disk, beside what the storage does."""
        asked = self._inquiry.objects("tfaas_register_written", Path, config=config)
        return [path for _plugin, path in asked]

    def commands(self, builtin: Collection[str]) -> list[click.Command]:
        """The plugins' commands, in order; ``builtin`` are the names of TFaaS's own."""
        check = partial(checks.wrong_with_command, builtin=builtin)
        asked = self._claimed("command", click.Command, check)
        return [command for _plugin, command in asked]

    def storage(self, config: Config) -> Storage:
        """The storage that ``config`` chooses. Raises ConfigError, too."""
        table = config.storage
        factory = sections.choose("storage", table.kind, self.storages())
        plugin = self._registrations.owner("storage", table.kind)
        doing = f"making the storage `{table.kind}`"
        return make(plugin, doing, Storage, partial(sections.made_storage, config, factory))

    def examine_storage(self, config: Config) -> list[str]:
        """What the storage that ``config`` chooses warns of. Raises ConfigError, too."""
        return self.examined("storage", config.storage.kind, self.storage(config).examine)

    def examined(self, kind: str, name: str, examine: Callable[[], list[str]]) -> list[str]:
        """What ``examine``, of a storage or runtime, warns of. Raises ConfigError, too."""
        plugin, doing = self._registrations.owner(kind, name), f"examining the {kind} `{name}`"
        warnings = make(plugin, doing, list, examine)
        for other in (warning for warning in warnings if not isinstance(warning, str)):
            wrong = f"returned {shown(other)} among others in {doing}, expected sentences"
            raise broken(plugin, wrong)
        return [one_line(warning) for warning in warnings]

    def engine(self, config: Config) -> EngineFactory:
        """The engine factory that ``config`` chooses. Raises ConfigError, too."""
        kind = config.engine.kind
        factory = sections.choose("engine", kind, self.engines())
        return GuardedEngineFactory(self._registrations.owner("engine", kind), kind, factory)

    def owner(self, kind: str, name: str) -> str:
        """The module of the plugin that registered, say, ``"codec"`` ``"json"``.

        ``kind`` is codec, media type, storage, runtime, engine, route, service, listener, command,
        lifespan.
        A route's name is like ``GET /models``; a codec owns its predict routes. Raises KeyError.
        """
        return self._registrations.owner(kind, name).module

    def part(self, kind: str, name: str) -> OwnedPart:
        """The storage or the engine that is registered as this, and whose it is."""
        return OwnedPart(self._registrations.owner(kind, name), f"{kind} `{name}`")

    def blame(self, kind: str, name: str, what: str) -> PluginError:
        """The error that says ``what`` is wrong with the plugin that registered this."""
        return broken(self._registrations.owner(kind, name), what)

    def owners(self, kind: str) -> dict[str, str]:
        """The modules of the plugins that registered all of this kind, by name."""
        return {name: owner.module for name, owner in self._registrations.owners(kind).items()}

    def registered(self, plugin: Plugin) -> list[str]:
        """What ``plugin`` registered in the calls so far, each like ``codec json``."""
        return self._registrations.of(plugin)

    def _owned(self, kind: str, expected: type[Any], host: object) -> Iterator[tuple[Any, str]]:
        hook = f"tfaas_register_{kind}s"
        self._registrations.forget(hook)
        for plugin, value in self._inquiry.objects(hook, expected, host=host):
            check = partial(checks.wrong_with_methods, kind, value)
            if not self._inquiry.is_right(plugin, hook, check):
                continue
            self._registrations.note(Registration(plugin, hook, kind, type(value).__name__))
            yield value, plugin.module

    def _claimed(
        self, kind: str, expected: type[T], check: Callable[[T], Iterator[str]], **given: Any
    ) -> Iterator[tuple[Plugin, T]]:
        """What is called by its ``name``, each of which belongs to one plugin."""
        hook = f"tfaas_register_{kind}s"
        self._registrations.forget(hook)
        for plugin, value in self._inquiry.objects(hook, expected, **given):
            is_right = self._inquiry.is_right(plugin, hook, partial(check, value))
            name = getattr(value, "name", "")
            if is_right and self._add(Registration(plugin, hook, kind, name)):
                yield plugin, value

    def _add_codec(self, plugin: Plugin, hook: str, codec: Codec[Any]) -> bool:
        if not self._add(Registration(plugin, hook, "codec", codec.name)):
            return False
        reason = f"for its codec `{codec.name}`"
        for path in (*predict_paths(codec.name), *model_predict_paths(codec.name)):
            self._add(Registration(plugin, hook, "route", f"POST {path}", reason))
        for media_type in codec.media_types:
            if media_type != "*/*":
                self._add(Registration(plugin, hook, "media type", media_type, reason))
        return True

    def _add_route(self, plugin: Plugin, hook: str, route: Route) -> bool:
        names = [f"{method} {route.path}" for method in route.methods]
        # Each of them is to be tried.
        added = [self._add(Registration(plugin, hook, "route", name)) for name in names]
        # What is wrong with GET is said once.
        if "GET" in route.methods and "HEAD" not in route.methods and all(added):
            head = Registration(plugin, hook, "route", f"HEAD {route.path}", implied=True)
            added.append(self._add(head))
        return all(added)

    def _add(self, registration: Registration) -> bool:
        """Whether ``registration`` excludes no other one."""
        error = self._registrations.add(registration)
        if error is not None:
            self._inquiry.on_error(error)
        return error is None

    def _kinds(
        self,
        kind: str,
        expected: str,
        fits: Callable[[Any], bool],
        check: Callable[[str, Any], Iterator[str]] = lambda _name, _value: iter(()),
    ) -> dict[str, Any]:
        return self._named(f"tfaas_register_{kind}s", kind, expected, fits, check)

    def _named(
        self,
        hook: str,
        kind: str,
        expected: str,
        fits: Callable[[Any], bool],
        check: Callable[[str, Any], Iterator[str]] = lambda _name, _value: iter(()),
        **given: Any,
    ) -> dict[str, Any]:
        found: dict[str, Any] = {}
        self._registrations.forget(hook)
        for plugin, name, value in self._inquiry.named(hook, expected, fits, **given):
            is_right = self._inquiry.is_right(plugin, hook, partial(check, name, value))
            if is_right and self._add(Registration(plugin, hook, kind, name)):
                found[name] = value
        return found
