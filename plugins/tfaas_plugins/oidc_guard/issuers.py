"""Issuers: those of a configuration, and of the one after it, with the keys that they have."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from tfaas_core.config import Config
from tfaas_plugins.oidc_guard.issuer import Issuer
from tfaas_plugins.oidc_guard.key_store import KeyStore
from tfaas_plugins.oidc_guard.source import FileKeys, source_of
from tfaas_plugins.oidc_guard.table import NAME, PATH, OidcGuardTable, OidcIssuer


class Issuers:
    """Those that have been configured so far. ``clock``: seconds, for the age of keys."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._stores: dict[tuple[object, ...], KeyStore] = {}

    def of(self, config: Config) -> list[Issuer]:
        """Those of ``config``. Whoever's keys come from where they came, keeps them.

        Raises ConfigError.
        """
        table: OidcGuardTable = config.settings(NAME)
        return self.of_table(table, config.base_dir)

    def of_table(self, table: OidcGuardTable, base_dir: Path) -> list[Issuer]:
        """The same, of a table; relative paths start from ``base_dir``."""
        stores: dict[tuple[object, ...], KeyStore] = {}
        issuers = []
        for name, entry in table.issuers.items():
            where = (name, entry.url, entry.jwks, entry.ca, entry.allow_http, table.timeout_s)
            store = self._stores.get((*where, table.refresh_s))
            if store is None or (entry.jwks and "://" not in entry.jwks):
                store = self._store(name, entry, table, base_dir)
            stores[(*where, table.refresh_s)] = store
            issuers.append(Issuer(name, entry, store, table.leeway_s))
        self._stores = stores
        return issuers

    async def close(self) -> None:
        """Ends all that is being fetched."""
        await asyncio.gather(*(store.close() for store in self._stores.values()))

    def _store(
        self, name: str, entry: OidcIssuer, table: OidcGuardTable, base_dir: Path
    ) -> KeyStore:
        source = source_of(entry, base_dir, table.timeout_s, f"{PATH}.issuers.{name}")
        keys = source.read() if isinstance(source, FileKeys) else None
        return KeyStore(name, source, table.refresh_s, keys, self._clock)
