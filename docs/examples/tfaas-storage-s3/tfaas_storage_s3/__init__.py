"""The storage ``s3``: a bucket of S3, or of any store that speaks its protocol.

obstore is imported once a storage is made, not before: most processes need none of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from tfaas_core import ConfigError, Storage, StorageFactory, hookimpl
from tfaas_core.configured_path import configured_path
from tfaas_core.secret import resolve
from tfaas_core.storage import takes
from tfaas_storage_s3.table import S3Table


class _Document(msgspec.Struct, frozen=True):
    storage: S3Table


@takes(S3Table)
def make_s3_storage(table: dict[str, Any], base: Path) -> Storage:
    """A storage for a ``[storage]`` table; ``base`` is where relative paths start.

    Raises ConfigError if the table is wrong. The store is not asked yet.
    """
    try:
        settings = msgspec.convert({"storage": table}, _Document).storage
    except msgspec.ValidationError as error:
        raise ConfigError(str(error)) from None

    from tfaas_core.local_disk.artifact_cache import ArtifactCache
    from tfaas_storage_s3.bucket import Options
    from tfaas_storage_s3.storage import S3Storage

    keys = None
    if settings.access_key is not None and settings.secret_key is not None:
        access_key = resolve(settings.access_key, base, "$.storage.access_key")
        keys = access_key, resolve(settings.secret_key, base, "$.storage.secret_key")
    folder = configured_path(settings.cache, base, "$.storage.cache").absolute()
    return S3Storage(
        Options(
            settings.bucket,
            settings.prefix,
            settings.endpoint,
            settings.region,
            keys,
            settings.timeout_s,
        ),
        ArtifactCache(folder, settings.cache_max_bytes),
        settings.poll_s,
        settings.lease_s,
    )


@hookimpl
def tfaas_register_storages() -> Mapping[str, StorageFactory]:
    """Registers ``kind = "s3"``."""
    return {"s3": make_s3_storage}
