from __future__ import annotations

from pathlib import Path

import pytest
from tfaas_backends.storage_sql import make_sql_storage

from tfaas_core.storage import Storage
from tfaas_core.testing.postgresql import database_for
from tfaas_core.testing.storage import StorageContract

pytestmark = pytest.mark.usefixtures("postgresql")


def postgresql_storage(folder: Path) -> Storage:
    """A storage with a database of this folder's own, and its cache in there."""
    return make_sql_storage({"url": database_for(folder)}, folder)


class TestPostgresqlStorage(StorageContract):
    make_storage = staticmethod(postgresql_storage)
