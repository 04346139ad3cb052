"""The token guard, a plugin: all must send a token, if ``[plugins.token_guard]`` has any."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from tfaas_core.guard import Guard
from tfaas_core.hookspecs import hookimpl
from tfaas_core.host import Host
from tfaas_core.secret import Secret, resolve
from tfaas_plugins.token_guard.guard import TokenGuard

NAME = "token_guard"


class TokenGuardTable(Struct, frozen=True):
    """``[plugins.token_guard]``: who may ask."""

    tokens: dict[str, Secret] = {}
    """Names, each with the token that it sends as Authorization: Bearer TOKEN; none: no guard."""


@hookimpl
def tfaas_config_sections() -> Mapping[str, type[Struct]]:
    """The table ``[plugins.token_guard]``."""
    return {NAME: TokenGuardTable}


@hookimpl
def tfaas_register_guards(host: Host) -> Iterable[Guard]:
    """Registers the guard, if there are tokens; raises ConfigError if one is not there."""
    table: TokenGuardTable = host.settings(NAME)
    base_dir, path = host.config.base_dir, f"$.plugins.{NAME}.tokens"
    tokens = {
        name: resolve(secret, base_dir, f"{path}.{name}") for name, secret in table.tokens.items()
    }
    if tokens:
        yield TokenGuard(tokens)
