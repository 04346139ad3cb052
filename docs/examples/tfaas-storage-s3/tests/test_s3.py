"""The table of this storage, and what its server may do to it."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
from s3_server import ENDPOINT, S3Server, make_storage, s3_server, table
from tfaas_storage_s3 import make_s3_storage, tfaas_register_storages
from tfaas_storage_s3.storage import S3Storage

from tfaas_core import ConfigError, StorageUnavailable
from tfaas_core.testing.storage_processes import Shape, fault_of, fill, newest, upload


def test_the_plugin_registers_the_storage() -> None:
    assert list(tfaas_register_storages()) == ["s3"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "missing required field `bucket`"),
        ({"bucket": ""}, "length >= 1 - at `\\$.storage.bucket`"),
        ({"bucket": "b", "buckets": 1}, "unknown field `buckets`"),
        ({"bucket": "b", "access_key": "a"}, "access_key and secret_key belong together"),
        ({"bucket": "b", "endpoint": "minio:9000"}, "write it like http://minio:9000"),
        ({"bucket": "b", "endpoint": "http://me:secret@minio"}, "write it like http://minio:9000"),
        ({"bucket": "b", "prefix": "a//b"}, "prefix is 'a//b'; take letters"),
        ({"bucket": "b", "prefix": "../b"}, "prefix is '../b'; take letters"),
        ({"bucket": "b", "lease_s": 0}, ">= 1.0 - at `\\$.storage.lease_s`"),
        ({"bucket": "b", "access_key": {"env": "NOT_SET"}, "secret_key": "x"}, "NOT_SET is empty"),
    ],
)
def test_a_wrong_table_is_told(given: dict[str, Any], told: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=told):
        make_s3_storage(given, tmp_path)


def test_a_bucket_that_is_not_there_is_told(server: S3Server, tmp_path: Path) -> None:
    storage = make_s3_storage(table(tmp_path, bucket="other"), tmp_path)
    told = f"there is no bucket 'other' of {server.endpoint}; make it, or correct storage.bucket"
    with pytest.raises(ConfigError, match=told):
        storage.examine()
    for ask in (storage.open, storage.list, storage.revision, lambda: storage.model("vk")):
        with pytest.raises(StorageUnavailable, match=told):
            ask()
    with pytest.raises(StorageUnavailable, match=told), storage.claim("vk"):
        pass


def test_wrong_keys_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with s3_server(INITIAL_NO_AUTH_ACTION_COUNT="1") as strict:
        monkeypatch.setenv(ENDPOINT, strict.endpoint)
        told = "does not accept the keys; correct storage.access_key and storage.secret_key"
        with pytest.raises(ConfigError, match=told):
            make_storage(tmp_path).examine()
        with pytest.raises(StorageUnavailable, match=told):
            make_storage(tmp_path).open()
        given = table(tmp_path)
        del given["access_key"], given["secret_key"]
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "unknown")
        with pytest.raises(ConfigError, match="correct those of the environment, or set storage"):
            make_s3_storage(given, tmp_path).examine()


def test_a_store_that_does_not_answer_is_told_soon(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for port in (silent.getsockname()[1], 1):
            endpoint = f"http://127.0.0.1:{port}"
            given = {"bucket": "b", "endpoint": endpoint, "timeout_s": 0.2}
            keys = {"access_key": "a", "secret_key": "b"}
            storage = make_s3_storage(given | keys, tmp_path)
            told = f"the S3 store {endpoint} does not answer; see that it runs"
            with pytest.raises(ConfigError, match=told):
                storage.examine()
            with pytest.raises(StorageUnavailable, match=told):
                storage.open()


def test_what_was_away_is_used_again(storage: S3Storage, server: S3Server) -> None:
    stored = upload(storage, "vk")
    staging = storage.stage()
    record = fill(staging, "vk", b"two", Shape.FILE)
    with storage.claim("vk") as claim:
        server.toggle()
        try:
            for ask in (
                storage.list,
                storage.revision,
                lambda: storage.commit(claim, staging, record),
            ):
                with pytest.raises(StorageUnavailable, match="does not answer") as away:
                    ask()
                assert "://" not in away.value.for_clients
            assert fault_of(storage, stored) is None  # from the cache
        finally:
            server.toggle()
        assert storage.commit(claim, staging, record).version == 2
    assert newest(storage, "vk") == storage.list()[0].live


def test_a_store_without_conditional_writes_is_told_and_changed_by_nobody(
    server: S3Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    storage = make_storage(tmp_path)
    put = storage._bucket.put

    def write_anyway(key: str, body: bytes, *_: str) -> str:
        put(key, body)
        return "etag"

    storage._bucket.create = storage._bucket.replace = write_anyway
    storage.open()
    assert "none can be changed: the S3 store" in caplog.text
    assert "has no conditional writes" in caplog.text
    with pytest.raises(StorageUnavailable, match="has no conditional writes"), storage.claim("dnn"):
        pass
