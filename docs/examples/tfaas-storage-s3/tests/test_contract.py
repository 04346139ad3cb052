"""The contract of storages, kept on a server of our own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from s3_server import ENDPOINT, make_storage, s3_server

from tfaas_core.testing.storage import StorageContract


@pytest.fixture(scope="module", autouse=True)
def server() -> Iterator[None]:
    with s3_server() as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv(ENDPOINT, server.endpoint)
        yield


class TestS3Storage(StorageContract):
    make_storage = make_storage
    syncs_files = False
    survives_a_fork = False
