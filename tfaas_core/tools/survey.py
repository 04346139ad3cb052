"""Survey: every plugin with what it registers, or with what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from tfaas_core.composition import Composition
from tfaas_core.config import Config, PluginsTable
from tfaas_core.errors import ConfigError, PluginError
from tfaas_core.host import Host
from tfaas_core.plugins import Plugin, Plugins, choose, load_plugins


class SurveyedPlugin(msgspec.Struct, frozen=True):
    """One line of ``tfaas plugins``. ``reason`` is empty unless the plugin is broken."""

    module: str
    distribution: str
    version: str
    status: Literal["active", "disabled", "broken"]
    registers: list[str]
    reason: str


def survey(config: Config) -> list[SurveyedPlugin]:
    """Every plugin that is found. No routes are listed where the configuration is wrong."""
    plugins, broken = _without_broken(config)
    return [_surveyed(plugins, plugin, broken.get(plugin.module, "")) for plugin in plugins.found]


def findings(config: Config) -> list[str]:
    """What is wrong with the plugins, and with what ``config`` asks of them; a sentence each."""
    plugins, broken = _without_broken(config)
    return [*broken.values(), *_unknown_disabled(config, plugins), *_wrong_kinds(config, plugins)]


def _surveyed(plugins: Plugins, plugin: Plugin, reason: str) -> SurveyedPlugin:
    status: Literal["active", "disabled", "broken"] = "active"
    if plugin.disabled:
        status = "broken" if reason else "disabled"
    return SurveyedPlugin(
        plugin.module,
        plugin.distribution,
        plugin.version,
        status,
        plugins.registered(plugin),
        reason,
    )


def _without_broken(config: Config) -> tuple[Plugins, dict[str, str]]:
    """Disables one broken plugin after the other until the rest works; gives their reasons."""
    broken: dict[str, str] = {}
    while True:
        disabled = PluginsTable(disabled=(*config.plugins.disabled, *broken))
        try:
            return _asked(msgspec.structs.replace(config, plugins=disabled)), broken
        except PluginError as error:
            module = error.details.get("plugin")
            if module is None or module in broken:
                raise
            broken[module] = error.message


def _asked(config: Config) -> Plugins:
    """The plugins, once they have registered everything."""
    try:
        composition = Composition.of(config)
    except ConfigError:
        plugins = load_plugins(config.plugins.disabled)
        plugins.codecs(config)
        plugins.storages()
        plugins.runtimes()
        plugins.engines()
        return plugins
    Host.at_rest(composition).routes()
    return composition.plugins


def _unknown_disabled(config: Config, plugins: Plugins) -> Iterator[str]:
    for name in config.plugins.disabled:
        if not any(plugin.is_called(name) for plugin in plugins.found):
            yield f"no plugin is called `{name}` - at `$.plugins.disabled`"


def _wrong_kinds(config: Config, plugins: Plugins) -> Iterator[str]:
    storage = config.storage
    try:
        choose("storage", storage.kind, plugins.storages())(storage.rest, config.base_dir)
    except ConfigError as error:
        yield error.message
    try:
        choose("engine", config.engine.kind, plugins.engines())
    except ConfigError as error:
        yield error.message
