"""The proxy guard, a plugin: a proxy in front must say who asks, if ``[plugins.proxy_guard]`` says
in which header."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from tfaas_core.errors import ConfigError
from tfaas_core.guard import Guard
from tfaas_core.hookspecs import hookimpl
from tfaas_core.host import Host
from tfaas_plugins.proxy_guard.guard import ProxyGuard
from tfaas_plugins.proxy_guard.table import NAME, PATH, ProxyGuardTable


@hookimpl
def tfaas_config_sections() -> Mapping[str, type[Struct]]:
    """The table ``[plugins.proxy_guard]``."""
    return {NAME: ProxyGuardTable}


@hookimpl
def tfaas_register_guards(host: Host) -> Iterable[Guard]:
    """Registers the guard, if a header is named; raises ConfigError if no proxy may send it."""
    table: ProxyGuardTable = host.settings(NAME)
    if not table.subject_header:
        return
    if host.proxies is None:
        raise ConfigError(
            "nobody is believed, since `server.proxies` names no proxy - "
            f"at `{PATH}.subject_header`"
        )
    yield ProxyGuard(table)
