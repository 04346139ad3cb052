from __future__ import annotations

from pathlib import Path

from tfaas_backends.storage_sql import make_sql_storage

from tfaas_core.storage import Storage
from tfaas_core.testing.storage import StorageContract


def sqlite(folder: Path) -> Storage:
    """A storage whose database and cache are in a folder."""
    return make_sql_storage({}, folder)


class TestSqliteStorage(StorageContract):
    make_storage = staticmethod(sqlite)
