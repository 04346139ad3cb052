"""The contract of storages, kept on a server of our own."""

from __future__ import annotations

import pytest
from s3_server import make_storage

from tfaas_core.testing.storage import StorageContract


@pytest.mark.usefixtures("server")
class TestS3Storage(StorageContract):
    make_storage = staticmethod(make_storage)
    syncs_files = False
    survives_a_fork = False
