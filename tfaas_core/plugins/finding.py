"""Finding: the built-in and the installed plugins, imported, and held to the hooks."""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from types import FunctionType, MethodType, ModuleType
from typing import Any

import pluggy

from tfaas_core import __version__, hookspecs
from tfaas_core.config import Config
from tfaas_core.errors import ConfigError, PluginError
from tfaas_core.plugins import calls
from tfaas_core.plugins.folder import plugins_in
from tfaas_core.plugins.plugin import Plugin, broken
from tfaas_core.system.output.one_line import text

BUILTIN_PLUGINS = (
    "tfaas_plugins.codecs.json",
    "tfaas_plugins.codecs.protobuf",
    "tfaas_plugins.codecs.image",
    "tfaas_plugins.codecs.msgpack",
    "tfaas_plugins.routes.predict",
    "tfaas_plugins.routes.models",
    "tfaas_plugins.routes.versions",
    "tfaas_plugins.routes.params",
    "tfaas_plugins.routes.status",
    "tfaas_plugins.health",
    "tfaas_plugins.openapi",
    "tfaas_plugins.page",
    "tfaas_plugins.graph_viewer",
    "tfaas_plugins.protocols.tfserving",
    "tfaas_plugins.protocols.oip",
    "tfaas_plugins.grpc_server",
    "tfaas_plugins.management",
    "tfaas_plugins.access_log",
    "tfaas_plugins.metrics",
    "tfaas_plugins.top",
    "tfaas_plugins.otel",
    "tfaas_plugins.rate_limit",
    "tfaas_plugins.token_guard",
    "tfaas_plugins.oidc_guard",
    "tfaas_plugins.proxy_guard",
    "tfaas_backends.storages.filesystem",
    "tfaas_backends.storages.sql",
    "tfaas_backends.runtimes.graph",
    "tfaas_backends.runtimes.saved_model",
    "tfaas_core.engine.local",
    "tfaas_core.engine.remote",
    "tfaas_backends.engines.ray",
)
"""The modules that are registered first; installed plugins follow, sorted by entry point name."""

WITH_COMMANDS = frozenset(("tfaas_plugins.top", "tfaas_backends.engines.ray"))
"""Those of the built-in ones that have commands. The others take a while to import."""

_HOOKS = tuple(name for name in vars(hookspecs) if name.startswith("tfaas_"))

_OPTIONS = ("tryfirst", "trylast", "wrapper", "hookwrapper", "optionalhook")

_ORDERED_HOOKS = ("tfaas_lifespan",)
_ORDER = ("tryfirst", "trylast")

_MARKED = f"{hookspecs.PROJECT}_impl"
"""What ``hookimpl`` leaves at a function."""

ImportPlugin = Callable[[], Any]


class HookManager(pluggy.PluginManager):
    """Looks at the marked names of a module alone: pluggy takes long over each of all others."""

    def __init__(self) -> None:
        super().__init__(hookspecs.PROJECT)
        self.add_hookspecs(hookspecs)

    def parse_hookimpl_opts(self, plugin: object, name: str) -> Any:
        """The options that the name is marked with; None if it is not marked."""
        if isinstance(plugin, ModuleType) and not _may_be_marked(vars(plugin).get(name)):
            return None
        return super().parse_hookimpl_opts(plugin, name)


def _may_be_marked(value: object) -> bool:
    if isinstance(value, FunctionType):
        return _MARKED in vars(value)
    return isinstance(value, MethodType | staticmethod | classmethod)


def is_builtin(plugin: Plugin) -> bool:
    """Whether ``plugin`` comes with TFaaS."""
    return plugin.module in BUILTIN_PLUGINS


def built_in_plugins() -> Iterator[tuple[Plugin, ImportPlugin]]:
    """Those that come with TFaaS, in order, and what imports each."""
    for module in BUILTIN_PLUGINS:
        yield Plugin(module, "tfaas", __version__), partial(importlib.import_module, module)


def find(folder: Path | None = None) -> Iterator[tuple[Plugin, ImportPlugin]]:
    """Every plugin, in order, and what imports it; those in ``folder`` come last.

    Raises ConfigError if the folder cannot be read.
    """
    yield from built_in_plugins()
    for entry in sorted(entry_points(group=hookspecs.PROJECT), key=lambda entry: entry.name):
        name, version = (entry.dist.name, entry.dist.version) if entry.dist else ("?", "?")
        yield Plugin(entry.value, name, version), entry.load
    if folder is not None:
        yield from plugins_in(folder)


def modules_of(config: Config) -> set[str]:
    """What the plugins are called that a configuration has, disabled ones included."""
    modules = {plugin.module for plugin, _import in find()}
    with suppress(ConfigError):  # it has been told already
        modules |= {plugin.module for plugin, _import in find(config.plugins_dir)}
    return modules


def named_twice(plugin: Plugin, found: Iterable[Plugin]) -> PluginError | None:
    """The error if an active one of ``found`` is of the same module, so that it needs no other."""
    first = next((p for p in found if p.module == plugin.module and not p.disabled), None)
    if first is None:
        return None
    if not plugin.version:
        what = f"{plugin.distribution} is called as the plugin {first} is; rename it"
        return PluginError(what, plugin=plugin.module)
    remedy = f"remove it, or list `{plugin.distribution}` in [plugins] disabled"
    if is_builtin(first):
        return _named_twice(plugin, f"which is built in; {remedy}")
    if plugin.distribution == first.distribution:
        return _named_twice(plugin, "as another one of it does; remove one of the two")
    return _named_twice(plugin, f"as one of {first.source} does; {remedy}")


def _named_twice(plugin: Plugin, how: str) -> PluginError:
    entry = f"an entry point of {plugin.source}"
    return PluginError(f"{entry} names the plugin {plugin.module}, {how}", plugin=plugin.module)


def register(
    manager: pluggy.PluginManager, plugin: Plugin, load: ImportPlugin
) -> list[PluginError]:
    """Imports ``plugin``, and registers it as its module, unless something is wrong with it."""
    try:
        loaded = calls.load(plugin, load)
        if misuses := list(_misuses(manager, plugin, loaded)):
            return misuses
        _register(manager, plugin, loaded)
    except PluginError as error:
        return [error]
    return []


def _register(manager: pluggy.PluginManager, plugin: Plugin, loaded: object) -> None:
    if other := manager.get_name(loaded):
        raise broken(plugin, f"is the same object as the plugin {other}")
    try:
        manager.register(loaded, plugin.module)
    except (pluggy.PluginValidationError, ValueError) as error:
        raise broken(plugin, f"does not fit the hooks: {text(error)}") from error
    if not manager.get_hookcallers(loaded):
        raise broken(plugin, "implements no hook: no function is marked `@hookimpl`")


def _misuses(
    manager: pluggy.PluginManager, plugin: Plugin, loaded: object
) -> Iterator[PluginError]:
    """What pluggy takes, and nobody would heed."""
    for name in dir(loaded):
        options: Mapping[str, Any] = manager.parse_hookimpl_opts(loaded, name) or {}
        if not options:
            continue
        if (hook := options.get("specname") or name) in _HOOKS:
            yield from _wrong_arguments(plugin, hook, getattr(loaded, name))
        else:
            near = difflib.get_close_matches(hook, _HOOKS, n=1)
            unlike = f", unlike `{near[0]}`" if near else ""
            yield broken(plugin, f"implements `{hook}`, which is no hook{unlike}")
        for option in _OPTIONS:
            has_meaning = name in _ORDERED_HOOKS and option in _ORDER
            if options.get(option) and not has_meaning:
                yield broken(
                    plugin,
                    f"marks {name} with `{option}`, which has no meaning here: TFaaS asks each "
                    "plugin by itself, and takes every answer; write `@hookimpl` alone",
                )
        if inspect.iscoroutinefunction(getattr(loaded, name)):
            yield broken(plugin, f"has {name} as `async def`, but hooks are plain functions")


def _wrong_arguments(plugin: Plugin, hook: str, implementation: Any) -> Iterator[PluginError]:
    """Those that the hook does not give, and that have no default."""
    given = inspect.signature(getattr(hookspecs, hook)).parameters
    for name, parameter in inspect.signature(implementation).parameters.items():
        is_left_out = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        if name not in given and parameter.default is parameter.empty and not is_left_out:
            gives = ", ".join(f"`{each}`" for each in given) or "no argument"
            yield broken(plugin, f"takes `{name}` in {hook}, which gives {gives}")
