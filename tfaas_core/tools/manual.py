"""Manual: every key of the configuration, what it means and what it is."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from tfaas_core.config import Config, Tables
from tfaas_core.plugins import Plugins, choose, plugins_of
from tfaas_core.plugins.sections import storage_settings
from tfaas_core.settings.meanings import Key, keys
from tfaas_core.settings.secrets import keys_with_secrets
from tfaas_core.tools.toml_text import value_text

_COLUMNS = 100


class ShownKey(Key, frozen=True):
    """A key, and its ``value``, but for a secret's. ``source`` gave it, empty for the default."""

    value: Any
    source: str


class ShownTable(msgspec.Struct, frozen=True):
    """A table, like ``plugins.limits``; ``plugin``: whose it is, empty for the server's own."""

    name: str
    meaning: str
    plugin: str
    keys: list[ShownKey]


def manual(config: Config) -> list[ShownTable]:
    """All tables that ``config`` may have, plugins' included. Raises ConfigError, PluginError."""
    plugins = plugins_of(config)
    config = plugins.configured(config)
    chosen = {"storage": _storage_settings(config, plugins)}
    own = [
        _table(config, name, getattr(config, name), chosen.get(name))
        for name in Tables.__struct_fields__
    ]
    own += [
        _table(config, f"engine.{kind}", settings, plugin=plugins.owner("engine", kind))
        for kind, settings in config.engine_tables.items()
    ]
    return own + [
        _table(config, f"plugins.{name}", settings, plugin=plugins.owner("section", name))
        for name, settings in config.sections.items()
    ]


def as_toml(tables: Sequence[ShownTable]) -> str:
    """A TOML file with all keys; what has its default, or is a secret, is a comment."""
    return "\n".join("".join(f"{line}\n" for line in _lines(table)) for table in tables)


def _storage_settings(config: Config, plugins: Plugins) -> msgspec.Struct | None:
    """What the chosen storage makes of its part of ``[storage]``, if it says what that is."""
    return storage_settings(config, choose("storage", config.storage.kind, plugins.storages()))


def _table(
    config: Config,
    name: str,
    settings: msgspec.Struct,
    more: msgspec.Struct | None = None,
    plugin: str = "",
) -> ShownTable:
    values = [settings] if more is None else [settings, more]
    shown = [_shown(config, name, key, value) for value in values for key in keys(type(value))]
    return ShownTable(name, _meaning(type(settings)), plugin, shown)


def _shown(config: Config, table: str, key: Key, settings: msgspec.Struct) -> ShownKey:
    value = msgspec.to_builtins(settings)[key.name]
    value = list(value) if isinstance(value, tuple) else value  # as the default has it
    path = f"$.{table}.{key.name}"
    changed = [
        source for changed_key, source in config.changed if f"{changed_key}.".startswith(f"{path}.")
    ]
    source = config.file if value != key.default else ""
    if changed:
        # Not what is behind --set KEY=, which may be a secret.
        source = changed[-1].partition("=")[0]
    is_secret = value != key.default and key.name in keys_with_secrets(settings)
    told = msgspec.structs.asdict(key)
    return ShownKey(**told, value=None if is_secret else value, source=source)


def _meaning(table: type[msgspec.Struct]) -> str:
    first = (table.__doc__ or "").strip().partition("\n")[0]
    return first.replace("``", "")


def _lines(table: ShownTable) -> Iterator[str]:
    yield f"# {table.meaning or f'Of the plugin {table.plugin}.'}"
    yield f"[{table.name}]"
    for key in table.keys:
        yield from _comment(f"{key.meaning} ({key.type})".strip())
        yield _line(key)


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, _COLUMNS, initial_indent="# ", subsequent_indent="# ")


def _line(key: ShownKey) -> str:
    if not key.source:
        default = "required" if key.default is None else value_text(key.default)
        return f"# {key.name} = {default}"
    if key.value is None:
        what = "is a secret" if key.type == "secret" else "holds secrets"
        return f"# {key.name} {what}, of {key.source}"
    return f"{key.name} = {value_text(key.value)}  # {key.source}"
