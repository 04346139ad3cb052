"""Sections: ``[plugins.NAME]``, ``[engine.KIND]``, ``[storage]``, held to what plugins say."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TypeVar

import msgspec

from tfaas_core.config import Config
from tfaas_core.engine.base import EngineFactory
from tfaas_core.errors import ConfigError, StartupError
from tfaas_core.plugins.plugin import Plugin
from tfaas_core.settings.checks import as_table, keys_of, unknown
from tfaas_core.storage import Storage, StorageFactory

S = TypeVar("S", bound=msgspec.Struct)
T = TypeVar("T")

_PATH = "$.plugins"
_ENGINE_PATH = "$.engine"


def unknown_sections(config: Config, known: Collection[str]) -> Iterator[ConfigError]:
    """The errors of tables that no plugin takes."""
    for name in config.plugins.rest:
        if name not in known:
            error = unknown("table", name, sorted(known), _PATH)
            # A list of them is not all that there could be.
            of_whom = "" if str(error).endswith("?") else ", of the plugins that are active"
            yield _blamed(config, f"{error}{of_whom}")


def read_section(config: Config, name: str, kind: type[S], plugin: Plugin) -> S:
    """``[plugins.NAME]``, which ``plugin`` takes, as a ``kind``; raises ConfigError."""
    is_there = name in config.plugins.rest
    document = config.plugins.rest.get(name, {})
    try:
        if not isinstance(document, dict):
            raise ValueError(
                f"Expected the table [plugins.{name}], got `{type(document).__name__}` - "
                f"at `{_PATH}.{name}`; its keys: {', '.join(keys_of(kind)) or 'none'}"
            )
        return as_table(document, kind, f"{_PATH}.{name}")
    except ValueError as error:
        wanted = (
            "" if is_there else f"; plugin {plugin} needs it, or list that in [plugins] disabled"
        )
        raise _blamed(config, f"{error}{wanted}") from None


def engine_tables(
    config: Config,
    engines: Mapping[str, EngineFactory],
    on_error: Callable[[StartupError], object],
) -> dict[str, msgspec.Struct]:
    """The tables ``[engine.KIND]``, checked, of all engines that take one.

    ``on_error`` gets what is wrong; if it returns, the engine has its defaults.
    """
    kinds = {kind: factory.table for kind, factory in engines.items() if factory.table is not None}
    for name in config.engine.rest:
        if name not in kinds:
            on_error(_blamed(config, str(unknown("table", name, sorted(kinds), _ENGINE_PATH))))
    tables = {}
    for kind, table in kinds.items():
        try:
            document = config.engine.rest.get(kind, {})
            tables[kind] = as_table(document, table, f"{_ENGINE_PATH}.{kind}")
        except ValueError as error:
            on_error(_blamed(config, str(error)))
            tables[kind] = table()
    return tables


def storage_settings(config: Config, factory: StorageFactory) -> msgspec.Struct | None:
    """The keys of ``[storage]`` that are the storage's, if ``factory`` says by ``takes`` which.

    Raises ConfigError.
    """
    table: type[msgspec.Struct] | None = getattr(factory, "table", None)
    if table is None:
        return None
    try:
        return as_table(config.storage.rest, table, "$.storage")
    except ValueError as error:
        raise _blamed(config, str(error)) from None


def made_storage(config: Config, factory: StorageFactory) -> Storage:
    """What ``factory`` makes of ``[storage]``. Raises ConfigError, and what the factory raises."""
    storage_settings(config, factory)
    return factory(config.storage.rest, config.base_dir)


def _blamed(config: Config, message: str) -> ConfigError:
    """Names the source of the value that does not fit, if there is one."""
    path = re.search(r" - at `([^`]+)`", message)
    source = config.source_of(path[1]) if path else config.file
    return ConfigError(f"{source}: {message}" if source else message)


def choose(table: str, kind: str, found: Mapping[str, T]) -> T:
    """What ``kind`` of ``[table]`` names; raises ConfigError if nothing registered that name."""
    if kind not in found:
        there = ", ".join(sorted(found)) or "none"
        raise ConfigError(f"unknown {table} '{kind}'; there are: {there} - at `$.{table}.kind`")
    return found[kind]
