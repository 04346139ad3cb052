"""The token guard, a plugin: all must send a token, if ``[plugins.token_guard]`` has any."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from tfaas_core.guard import Guard
from tfaas_core.hookspecs import hookimpl
from tfaas_core.host import Host
from tfaas_plugins.token_guard.guard import TokenGuard
from tfaas_plugins.token_guard.table import NAME, TokenGuardTable, holders_of


@hookimpl
def tfaas_config_sections() -> Mapping[str, type[Struct]]:
    """The table ``[plugins.token_guard]``."""
    return {NAME: TokenGuardTable}


@hookimpl
def tfaas_register_guards(host: Host) -> Iterable[Guard]:
    """Registers the guard, if tokens are asked for; raises ConfigError if one is not there."""
    table: TokenGuardTable = host.settings(NAME)
    if table.asks:
        yield TokenGuard(holders_of(table, host.config.base_dir))
