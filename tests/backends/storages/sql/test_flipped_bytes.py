"""Records of a database that a disk has changed by a byte."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tests.backends.storages.sql.databases import opened, sqlite_url
from tfaas_core.testing.storage_processes import upload
from tfaas_core.testing.suites.storage.case import live


@pytest.mark.parametrize("byte", [b"x", b"\xe9"])
def test_a_record_hides_its_version_and_no_other(tmp_path: Path, byte: bytes) -> None:
    url = sqlite_url(tmp_path)
    storage = opened(url, tmp_path)
    first, _second = upload(storage, "vk", b"one"), upload(storage, "vk", b"two")
    other = upload(storage, "other")
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        ((text,),) = connection.execute(
            "SELECT CAST(record AS BLOB) FROM versions WHERE name = 'vk' AND number = 2"
        )
        at = text.index(b'"runtime":"') + len('"runtime":"')
        damaged = text[:at] + byte + text[at + 1 :]
        connection.execute(
            "UPDATE versions SET record = CAST(? AS TEXT) WHERE name = 'vk' AND number = 2",
            (damaged,),
        )
    connection.close()
    found = opened(url, tmp_path)
    assert live(found) == [other, first]
    (sentence,) = found.broken_records()
    assert "a record of model 'vk' in the database is broken" in sentence
