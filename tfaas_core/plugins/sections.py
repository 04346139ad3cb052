"""Sections: the tables ``[plugins.NAME]``, held to what the plugins say of them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import TypeVar

import msgspec

from tfaas_core.config import Config
from tfaas_core.errors import ConfigError
from tfaas_core.settings.checks import as_table, unknown

S = TypeVar("S", bound=msgspec.Struct)

_PATH = "$.plugins"


def unknown_sections(config: Config, known: Collection[str]) -> Iterator[ConfigError]:
    """The errors of tables that no plugin takes."""
    for name in config.plugins.rest:
        if name not in known:
            error = unknown("table", name, sorted(known), _PATH)
            yield _blamed(config, f"{error}, of the plugins that are active")


def read_section(config: Config, name: str, kind: type[S]) -> S:
    """``[plugins.NAME]`` as a ``kind``; raises ConfigError."""
    try:
        return as_table(config.plugins.rest.get(name, {}), kind, f"{_PATH}.{name}")
    except ValueError as error:
        raise _blamed(config, str(error)) from None


def _blamed(config: Config, message: str) -> ConfigError:
    """Names the source of the value that does not fit, if there is one."""
    path = re.search(r" - at `([^`]+)`", message)
    source = config.source_of(path[1]) if path else config.file
    return ConfigError(f"{source}: {message}" if source else message)
