"""The storage that is a database: SQLite, or PostgreSQL for several hosts.

SQLAlchemy is imported once a storage is made, not before: most processes need none of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from tfaas_core.configured_path import configured_path
from tfaas_core.errors import ConfigError
from tfaas_core.hookspecs import hookimpl
from tfaas_core.secret import Secret, resolve
from tfaas_core.storage import Storage, StorageFactory, takes

URL_KEY = "$.storage.url"


class SqlTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The ``[storage]`` table of kind ``sql``."""

    url: Secret = "sqlite:///tfaas.db"
    """The database: SQLite or PostgreSQL."""
    cache: Annotated[str, Meta(min_length=1)] = "cache"
    """The local folder that models are loaded from."""
    cache_max_bytes: Annotated[int, Meta(ge=1)] = 10_737_418_240
    """Beyond it, the least recently used models leave the cache."""


class _Document(msgspec.Struct, frozen=True):
    storage: SqlTable


@takes(SqlTable)
def make_sql_storage(table: dict[str, Any], base: Path) -> Storage:
    """A SqlStorage for a ``[storage]`` table; ``base`` is where relative paths start.

    Raises ConfigError if the table is wrong. The database is not asked yet.
    """
    try:
        settings = msgspec.convert({"storage": table}, _Document).storage
    except msgspec.ValidationError as error:
        raise ConfigError(str(error)) from None
    url = resolve(settings.url, base, URL_KEY)

    from tfaas_backends.storages.sql.storage import SqlStorage
    from tfaas_backends.storages.sql.url import database_of
    from tfaas_core.local_disk.artifact_cache import ArtifactCache

    folder = configured_path(settings.cache, base, "$.storage.cache").absolute()
    cache = ArtifactCache(folder, settings.cache_max_bytes)
    return SqlStorage(database_of(url, base.absolute()), cache)


@hookimpl
def tfaas_register_storages() -> Mapping[str, StorageFactory]:
    """Registers ``kind = "sql"``."""
    return {"sql": make_sql_storage}
