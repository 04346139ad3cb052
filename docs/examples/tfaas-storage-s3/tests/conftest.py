"""A storage, its bucket, and the server that has it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from obstore.store import S3Store
from s3_server import BUCKET, ENDPOINT, KEYS, S3Server, opened, s3_server, table
from tfaas_storage_s3.storage import S3Storage


@pytest.fixture(scope="session")
def server() -> Iterator[S3Server]:
    with s3_server() as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv(ENDPOINT, server.endpoint)
        yield server


@pytest.fixture
def storage(server: S3Server, tmp_path: Path) -> Iterator[S3Storage]:
    # No test of it lets a claim end: the store may be away, and the machine busy.
    with opened(tmp_path, lease_s=60) as storage:
        yield storage


@pytest.fixture
def bucket(server: S3Server, tmp_path: Path) -> S3Store:
    """The objects of the storage, as others see them."""
    return S3Store(
        BUCKET,
        prefix=str(table(tmp_path)["prefix"]),
        endpoint=server.endpoint,
        region="us-east-1",
        access_key_id=KEYS[0],
        secret_access_key=KEYS[1],
        virtual_hosted_style_request=False,
        client_options={"allow_http": True},
    )
