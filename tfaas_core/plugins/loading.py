"""Loading: every plugin that is found, imported, and ready to be asked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from tfaas_core.config import Config
from tfaas_core.errors import ConfigError, StartupError
from tfaas_core.plugins.finding import HookManager, ImportPlugin, find, named_twice, register
from tfaas_core.plugins.inquiry import OnError
from tfaas_core.plugins.plugin import Plugin
from tfaas_core.plugins.plugins import Plugins


def stop(error: StartupError) -> None:
    """The OnError of a server, which does not start with a broken plugin: raises ``error``."""
    raise error


def plugins_of(config: Config, on_error: OnError = stop) -> Plugins:
    """The plugins that ``config`` asks for, imported and registered, as ``load_plugins`` does it.

    A folder of plugins that cannot be read goes to ``on_error`` as a ConfigError.
    """
    sources: list[tuple[Plugin, ImportPlugin]] = []
    try:
        sources.extend(find(config.plugins_dir))
    except ConfigError as error:
        on_error(error)
        sources = [*find()]
    return load_plugins(config.plugins.disabled, on_error, sources)


def load_plugins(
    disabled: Sequence[str] = (),
    on_error: OnError = stop,
    sources: Iterable[tuple[Plugin, ImportPlugin]] | None = None,
) -> Plugins:
    """Imports and registers every plugin but those that ``disabled`` names.

    ``disabled`` are distribution or module names. ``sources`` are plugins with what imports each,
    in order: the built-in and the installed ones unless told otherwise. Each plugin that cannot be
    imported or does not implement the hooks as specified goes to ``on_error`` as a PluginError,
    whose ``details["plugin"]`` is its module, and so does what is wrong with its answers later.
    Unless told otherwise, that raises the error.
    """
    manager = HookManager()
    found: list[Plugin] = []
    for plugin, load in find() if sources is None else sources:
        if any(plugin.is_called(name) for name in disabled):
            found.append(msgspec.structs.replace(plugin, disabled=True))
            continue
        if error := named_twice(plugin, found):
            on_error(error)
            continue
        found.append(plugin)
        for error in register(manager, plugin, load):
            on_error(error)
    return Plugins(manager, found, on_error)
