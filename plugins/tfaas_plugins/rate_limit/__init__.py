"""The rate limit, a plugin: so many requests in a time, and no more, if ``[plugins.rate_limit]``
has any limit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from msgspec import Struct

from tfaas_core.config import Config
from tfaas_core.errors import ConfigError
from tfaas_core.guard import Guard
from tfaas_core.hookspecs import hookimpl
from tfaas_core.host import Host
from tfaas_core.secret import SecretPlace, resolve
from tfaas_plugins.rate_limit.size import SIZE_BYTES

if TYPE_CHECKING:
    from tfaas_plugins.rate_limit.guards import Counters

NAME = "rate_limit"
_PATH = f"$.plugins.{NAME}"

Limits = str | list[str]


class RateLimitTable(Struct, frozen=True):
    """``[plugins.rate_limit]``: how many requests are let in, like "100/minute"."""

    client: Limits = []
    """Predictions of each client address; of IPv6, each /64."""
    identity: Limits = []
    """Predictions of each name that a guard knows, as the token guard does."""
    model: Limits = []
    """Predictions by each model, for all clients together."""
    upload: Limits = []
    """Uploads of each client address."""
    storage: str | SecretPlace = ""
    """The URL of a Redis or Valkey server, where several servers count together; empty: memory that
    the HTTP workers share."""


@hookimpl
def tfaas_config_sections() -> Mapping[str, type[Struct]]:
    """The table ``[plugins.rate_limit]``."""
    return {NAME: RateLimitTable}


@hookimpl
def tfaas_register_memory(config: Config) -> Mapping[str, int]:
    """What the HTTP workers count in."""
    table: RateLimitTable = config.settings(NAME)
    return {NAME: SIZE_BYTES} if _limits(table) and not table.storage else {}


@hookimpl
@asynccontextmanager
async def tfaas_lifespan(host: Host) -> AsyncIterator[None]:
    """Holds connections to Redis while the worker serves."""
    table: RateLimitTable = host.settings(NAME)
    if not (_limits(table) and table.storage):
        yield
        return
    counters = host.shared[NAME] = _counters(host, table)
    try:
        yield
    finally:
        await counters.close()


@hookimpl
def tfaas_register_guards(host: Host) -> Iterable[Guard]:
    """Registers what the limits take; raises ConfigError if one of them is none."""
    table: RateLimitTable = host.settings(NAME)
    if not (texts := _limits(table)):
        return
    counters = host.shared.get(NAME) or _counters(host, table)
    from tfaas_plugins.rate_limit.guards import AddressLimit, NameLimit
    from tfaas_plugins.rate_limit.limit import limits_of

    limits = {key: limits_of(key, text, f"{_PATH}.{key}") for key, text in texts.items()}
    if "client" in limits or "upload" in limits:
        yield AddressLimit(limits.get("client", ()), limits.get("upload", ()), counters)
    if "identity" in limits or "model" in limits:
        yield NameLimit(limits.get("identity", ()), limits.get("model", ()), counters)


def _limits(table: RateLimitTable) -> dict[str, Limits]:
    """Those that there are, by their keys."""
    found = {key: getattr(table, key) for key in ("client", "identity", "model", "upload")}
    return {key: limits for key, limits in found.items() if limits}


def _counters(host: Host, table: RateLimitTable) -> Counters:
    """Imports what only a server with limits has to have."""
    try:
        if not table.storage:
            from tfaas_plugins.rate_limit.memory_counters import MemoryCounters

            return MemoryCounters(host.memory[NAME])
        from tfaas_plugins.rate_limit.redis_counters import RedisCounters
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        raise ConfigError(
            f"the limits need the package {package}, which is not installed; "
            f"pip install 'tfaas[rate-limit]' - at `{_PATH}`"
        ) from None
    key = f"{_PATH}.storage"
    return RedisCounters.at(resolve(table.storage, host.config.base_dir, key), key)
