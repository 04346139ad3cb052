"""The OIDC guard, a plugin: all must send a token of an issuer, if ``[plugins.oidc_guard]`` has
any."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from msgspec import Struct

from tfaas_core.errors import ConfigError
from tfaas_core.guard import Guard
from tfaas_core.hookspecs import hookimpl
from tfaas_core.host import Host
from tfaas_plugins.oidc_guard.table import NAME, PATH, OidcGuardTable

if TYPE_CHECKING:
    from tfaas_plugins.oidc_guard.issuers import Issuers


@hookimpl
def tfaas_config_sections() -> Mapping[str, type[Struct]]:
    """The table ``[plugins.oidc_guard]``."""
    return {NAME: OidcGuardTable}


@hookimpl
@asynccontextmanager
async def tfaas_lifespan(host: Host) -> AsyncIterator[None]:
    """Begins to fetch the issuers' keys, and ends what is being fetched at last."""
    table: OidcGuardTable = host.settings(NAME)
    if not table.issuers:
        yield
        return
    issuers = host.shared[NAME] = _issuers()
    try:
        for issuer in issuers.of(host.config):
            issuer.keys.refresh()
        yield
    finally:
        await issuers.close()


@hookimpl
def tfaas_register_guards(host: Host) -> Iterable[Guard]:
    """Registers the guard, if there is an issuer; raises ConfigError if one cannot be used."""
    table: OidcGuardTable = host.settings(NAME)
    if not table.issuers:
        return
    issuers = host.shared.get(NAME) or _issuers()
    from tfaas_plugins.oidc_guard.guard import OidcGuard

    yield OidcGuard(issuers.of(host.config), issuers.of)


def _issuers() -> Issuers:
    """Imports what only a server with issuers has to have."""
    try:
        from tfaas_plugins.oidc_guard.issuers import Issuers
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        raise ConfigError(
            f"issuers take the package {package}, which is not installed; "
            f"pip install 'tfaas[oidc]' - at `{PATH}`"
        ) from None
    return Issuers()
