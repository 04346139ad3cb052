"""Plugins: finds the built-in and installed plugins, and asks them what they register."""

from __future__ import annotations

import importlib
import re
import reprlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import pluggy

from tfaas_core import __version__, hookspecs
from tfaas_core.codec import Codec
from tfaas_core.config import Config
from tfaas_core.engine.base import EngineFactory
from tfaas_core.errors import ConfigError, PluginError
from tfaas_core.route import Route
from tfaas_core.routing.check import fault_of
from tfaas_core.routing.pattern import Pattern
from tfaas_core.runtime import Runtime
from tfaas_core.storage import StorageFactory

if TYPE_CHECKING:
    from tfaas_core.host import Host

BUILTIN_PLUGINS = (
    "tfaas_plugins.codecs.json",
    "tfaas_plugins.codecs.protobuf",
    "tfaas_plugins.codecs.image",
    "tfaas_plugins.codecs.msgpack",
    "tfaas_plugins.routes.models",
    "tfaas_plugins.routes.versions",
    "tfaas_plugins.routes.params",
    "tfaas_plugins.routes.status",
    "tfaas_backends.storages.filesystem",
    "tfaas_backends.storages.sql",
    "tfaas_backends.runtimes.graph",
    "tfaas_backends.runtimes.saved_model",
    "tfaas_core.engine.local",
)
"""The modules that are registered first; installed plugins follow, sorted by entry point name."""

T = TypeVar("T")


class Plugin(msgspec.Struct, frozen=True):
    """A plugin that was found, disabled ones included.

    ``module`` is what the entry point names: a module, or ``module:object``.
    """

    module: str
    distribution: str
    version: str
    disabled: bool = False

    def is_called(self, name: str) -> bool:
        """Whether ``name`` is its module's or distribution's, in any spelling."""
        names = (self.module, self.module.partition(":")[0], self.distribution)
        return _normal(name) in map(_normal, names)

    def __str__(self) -> str:
        return f"{self.module} ({self.distribution} {self.version})"


class _Claim(msgspec.Struct, frozen=True):
    plugin: Plugin
    hook: str
    kind: str
    name: str
    pattern: Pattern | None = None
    """Of a route."""

    @property
    def key(self) -> tuple[str, str]:
        return _key(self.kind, self.name)


class Plugins:
    """The active plugins. Each method asks them anew; what they claim is checked as it comes in."""

    def __init__(self, manager: pluggy.PluginManager, found: Sequence[Plugin]) -> None:
        self.found = tuple(found)
        """Every plugin, in the order in which they are asked, disabled ones included."""
        self._manager = manager
        self._claims: dict[tuple[str, str], _Claim] = {}

    def codecs(self, config: Config) -> dict[str, Codec[Any]]:
        """Every codec by name, in order. Raises PluginError, as all methods here do."""
        hook = "tfaas_register_codecs"
        codecs: dict[str, Codec[Any]] = {}
        for plugin, codec in self._objects(hook, Codec, config=config):
            _check_codec(plugin, codec)
            self._claim(plugin, hook, "codec", codec.name)
            for path in (*predict_paths(codec.name), *model_predict_paths(codec.name)):
                self._claim_route(plugin, hook, "POST", path)
            for media_type in codec.media_types:
                if media_type != "*/*":
                    self._claim(plugin, hook, "media type", media_type)
            codecs[codec.name] = codec
        return codecs

    def storages(self) -> dict[str, StorageFactory]:
        """Every storage factory by kind."""
        return self._kinds("storage", "callable", callable)

    def runtimes(self) -> dict[str, Runtime]:
        """Every runtime by name."""
        return self._kinds("runtime", "Runtime", lambda value: isinstance(value, Runtime))

    def engines(self) -> dict[str, EngineFactory]:
        """Every engine factory by kind."""
        return self._kinds("engine", "EngineFactory", lambda v: isinstance(v, EngineFactory))

    def routes(self, host: Host) -> list[Route]:
        """The plugins' routes, in order; those of codecs are not among them."""
        hook = "tfaas_register_routes"
        routes: list[Route] = []
        for plugin, route in self._objects(hook, Route, host=host):
            _check_route(plugin, route)
            for method in route.methods:
                self._claim_route(plugin, hook, method, route.path)
            routes.append(route)
        return routes

    def owner(self, kind: str, name: str) -> str:
        """The module of the plugin that registered, say, ``"codec"`` ``"json"``.

        ``kind`` is codec, media type, storage, runtime, engine or route; a route's name is like
        ``GET /models``, and a codec owns its predict routes. Raises KeyError for what was not
        registered.
        """
        return self._claims[_key(kind, name)].plugin.module

    def registered(self, plugin: Plugin) -> list[str]:
        """What ``plugin`` registered in the calls so far, each like ``codec json``."""
        claims = self._claims.values()
        return [f"{claim.kind} {claim.name}" for claim in claims if claim.plugin == plugin]

    def _kinds(self, kind: str, expected: str, fits: Callable[[Any], bool]) -> dict[str, Any]:
        hook = f"tfaas_register_{kind}s"
        found: dict[str, Any] = {}
        for plugin, kinds in self._ask(hook):
            if not isinstance(kinds, Mapping):
                raise _wrong_result(plugin, hook, kinds, f"a mapping of names to {expected}")
            for name, value in kinds.items():
                if not isinstance(name, str) or not fits(value):
                    raise _wrong_result(plugin, hook, {name: value}, f"str: {expected}")
                self._claim(plugin, hook, kind, name)
                found[name] = value
        return found

    def _objects(
        self, hook: str, expected: type[Any], **given: Any
    ) -> Iterator[tuple[Plugin, Any]]:
        for plugin, result in self._ask(hook, **given):
            if not isinstance(result, list):
                raise _wrong_result(plugin, hook, result, f"an iterable of {expected.__name__}")
            for value in result:
                if not isinstance(value, expected):
                    raise _wrong_result(plugin, hook, value, f"a {expected.__name__}")
                yield plugin, value

    def _ask(self, hook: str, **given: Any) -> Iterator[tuple[Plugin, Any]]:
        """Calls each plugin by itself, which pluggy does not do, to know who answered what."""
        self._claims = {key: claim for key, claim in self._claims.items() if claim.hook != hook}
        implementations = getattr(self._manager.hook, hook).get_hookimpls()
        for plugin in self.found:
            for implementation in implementations:
                if implementation.plugin_name == plugin.module:
                    arguments = {name: given[name] for name in implementation.argnames}
                    yield plugin, _call(plugin, hook, implementation.function, arguments)

    def _claim_route(self, plugin: Plugin, hook: str, method: str, path: str) -> None:
        pattern = Pattern.of(path)
        for other in self._claims.values():
            if other.pattern is not None and pattern.ties_with(other.pattern):
                raise PluginError(
                    f"the route `{path}` of plugin {plugin} and the route `{other.pattern.path}` "
                    f"of plugin {other.plugin} match the same paths, and neither has more text; "
                    "name one of them in [plugins] disabled",
                    plugin=plugin.module,
                )
        self._claim(plugin, hook, "route", f"{method} {path}", pattern)

    def _claim(
        self, plugin: Plugin, hook: str, kind: str, name: str, pattern: Pattern | None = None
    ) -> None:
        claim = _Claim(plugin, hook, kind, name, pattern)
        first = self._claims.setdefault(claim.key, claim)
        if first is not claim and first.plugin == plugin:
            raise _broken(plugin, f"registers the {kind} `{name}` twice")
        if first is not claim:
            raise PluginError(
                f"plugins {first.plugin} and {plugin} both claim the {kind} `{name}`; "
                "name one of them in [plugins] disabled",
                plugin=plugin.module,
            )


def load_plugins(disabled: Sequence[str] = ()) -> Plugins:
    """Imports and registers every plugin but those that ``disabled`` names.

    ``disabled`` are distribution or module names. Raises PluginError for the first plugin that
    cannot be imported or does not implement the hooks as specified; ``details["plugin"]`` is its
    module.
    """
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    found = []
    for plugin, load in _find():
        if any(plugin.is_called(name) for name in disabled):
            found.append(msgspec.structs.replace(plugin, disabled=True))
        else:
            _register(manager, plugin, load)
            found.append(plugin)
    return Plugins(manager, found)


def predict_paths(codec: str) -> tuple[str, ...]:
    """The paths that a codec of this name is served under."""
    return f"/predict/{codec}", f"/{codec}"


def model_predict_paths(codec: str) -> tuple[str, ...]:
    """Those that name the model, too, and its version or label, in their fields."""
    return (
        f"/models/{{name}}/predict/{codec}",
        f"/models/{{name}}/versions/{{version}}/predict/{codec}",
        f"/models/{{name}}/labels/{{label}}/predict/{codec}",
    )


def choose(table: str, kind: str, found: Mapping[str, T]) -> T:
    """What ``kind`` of ``[table]`` names; raises ConfigError where nothing registered that name."""
    if kind not in found:
        there = ", ".join(sorted(found)) or "none"
        raise ConfigError(f"unknown {table} '{kind}'; there are: {there} - at `$.{table}.kind`")
    return found[kind]


def _find() -> Iterator[tuple[Plugin, Callable[[], Any]]]:
    for module in BUILTIN_PLUGINS:
        yield Plugin(module, "tfaas", __version__), partial(importlib.import_module, module)
    for entry in sorted(entry_points(group=hookspecs.PROJECT), key=lambda entry: entry.name):
        name, version = (entry.dist.name, entry.dist.version) if entry.dist else ("?", "?")
        yield Plugin(entry.value, name, version), entry.load


def _register(manager: pluggy.PluginManager, plugin: Plugin, load: Callable[[], Any]) -> None:
    try:
        loaded = load()
    # A plugin is foreign code: whatever it raises, the message must name it.
    except (Exception, SystemExit) as error:
        raise _broken(plugin, f"cannot be imported: {_reason(error)}") from error
    try:
        manager.register(loaded, plugin.module)
        manager.check_pending()
    except (pluggy.PluginValidationError, ValueError) as error:
        raise _broken(plugin, f"does not fit the hooks: {_text(error)}") from error
    if not manager.get_hookcallers(loaded):
        raise _broken(plugin, "implements no hook: no function is marked `@hookimpl`")


def _call(plugin: Plugin, hook: str, function: Callable[..., Any], given: dict[str, Any]) -> Any:
    try:
        result = function(**given)
        if isinstance(result, Iterable) and not isinstance(result, str | bytes | Mapping):
            return list(result)
    except (Exception, SystemExit) as error:
        raise _broken(plugin, f"failed in {hook}: {_reason(error)}") from error
    return result


def _check_codec(plugin: Plugin, codec: Codec[Any]) -> None:
    hook, name = "tfaas_register_codecs", getattr(codec, "name", None)
    if not isinstance(name, str) or re.fullmatch(r"[a-z0-9-]+", name) is None:
        raise _wrong_result(plugin, hook, codec, "a Codec with a name of a-z, 0-9 and -")
    types = getattr(codec, "media_types", None)
    if not isinstance(types, tuple) or not all(isinstance(t, str) and "/" in t for t in types):
        raise _wrong_result(plugin, hook, codec, "a Codec with a tuple of media types")


def _check_route(plugin: Plugin, route: Route) -> None:
    fault = fault_of(route)
    if fault is not None:
        raise _broken(plugin, f"registers the route `{route.path}`, but {fault}")


def _wrong_result(plugin: Plugin, hook: str, got: object, expected: str) -> PluginError:
    return _broken(plugin, f"returned {reprlib.repr(got)} in {hook}, not {expected}")


def _broken(plugin: Plugin, what: str) -> PluginError:
    return PluginError(
        f"plugin {plugin} {what}; mend it or name it in [plugins] disabled", plugin=plugin.module
    )


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {_text(error)}".removesuffix(": ")


def _text(error: BaseException) -> str:
    return " ".join(str(error).split())


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _key(kind: str, name: str) -> tuple[str, str]:
    # Paths that differ only in what they call their fields match the same requests.
    if kind == "route":
        return kind, re.sub(r"{[^{}]*?(\.\.\.)?}", r"{\1}", name.rstrip("/"))
    return kind, name
