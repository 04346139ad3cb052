"""Artifacts on their way into the database, out of it, and in the cache."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import text
from tfaas_backends.storages.sql import make_sql_storage
from tfaas_backends.storages.sql.tables import metadata

from tests.backends.storages.sql.databases import (
    CACHE,
    UrlOf,
    connected,
    count,
    opened,
    statements,
)
from tfaas_core.errors import ConfigError, DamagedFile, StorageUnavailable
from tfaas_core.models.checksum import artifact_checksum
from tfaas_core.models.model import ModelVersion
from tfaas_core.storage import MODEL, Storage
from tfaas_core.testing.children import Child, Report, apart
from tfaas_core.testing.storage_processes import Shape, fault_of, fill, newest, upload

MIB = 1024 * 1024
LARGE_MIB = 128
MOST_MIB = 64


# Files.


def test_an_artifact_of_many_chunks_and_odd_files_arrives_as_it_was(
    storage: Storage, other_host: Storage
) -> None:
    staging = storage.stage()
    version = fill(staging, "vk", b"x", Shape.FOLDER)
    model = staging / MODEL
    (model / "empty folder" / "below").mkdir(parents=True)
    (model / "empty file").write_bytes(b"")
    (model / "large").write_bytes(bytes(range(256)) * 4096 * 9 + b"the end")
    (model / "exactly one chunk").write_bytes(bytes(MIB))
    (model / "Größe \N{SNOWMAN}").write_bytes(b"x")
    before = {p.relative_to(model): p.is_file() and p.read_bytes() for p in model.rglob("*")}
    version = _with_checksum(version, model)
    with storage.claim("vk") as claim:
        stored = storage.commit(claim, staging, version)
    for fetched in (storage.artifact(stored), other_host.artifact(stored)):
        after = {p.relative_to(fetched): p.is_file() and p.read_bytes() for p in fetched.rglob("*")}
        assert after == before
        assert artifact_checksum(fetched) == stored.checksum


def _with_checksum(version: ModelVersion, artifact: Path) -> ModelVersion:
    return msgspec.structs.replace(version, checksum=artifact_checksum(artifact))


def test_an_upload_whose_files_are_not_those_of_its_checksum_is_refused(
    storage: Storage, url: str
) -> None:
    staging = storage.stage()
    version = fill(staging, "vk", b"x", Shape.FILE)
    (staging / MODEL).write_bytes(b"other")
    with storage.claim("vk") as claim, pytest.raises(DamagedFile, match="'vk' changed"):
        storage.commit(claim, staging, version)
    assert storage.list() == []
    assert count(url, "versions") == count(url, "files") == count(url, "chunks") == 0


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE chunks SET data = :other",
        "DELETE FROM chunks",
        "DELETE FROM chunks WHERE position = 1",
        "UPDATE files SET sha256 = :sum",
        "UPDATE files SET path = '../evil' WHERE path = 'model/variables/0'",
        "UPDATE files SET path = 'model/variables/1' WHERE path = 'model/variables/0'",
    ],
)
def test_a_damaged_file_is_told_and_never_loaded(
    storage: Storage, other_host: Storage, url: str, tmp_path: Path, damage: str
) -> None:
    staging = storage.stage()
    version = fill(staging, "vk", b"x", Shape.FOLDER)
    (staging / MODEL / "variables" / "0").write_bytes(bytes(2 * MIB))
    version = _with_checksum(version, staging / MODEL)
    with storage.claim("vk") as claim:
        stored = storage.commit(claim, staging, version)
    with connected(url) as connection:
        statement = text(damage)
        values = {"other": b"other", "sum": "0" * 64}
        wanted = {name: values[name] for name in statement.compile().params}
        connection.execute(statement, wanted)
    for _ in range(2):
        with pytest.raises(DamagedFile, match=r"file .*of version vk/1 is damaged"):
            other_host.artifact(stored)
    assert list((tmp_path / "other" / CACHE / "sha256").iterdir()) == []
    assert list((tmp_path / "other" / CACHE / ".staging").iterdir()) == []
    assert not (tmp_path / "other" / CACHE / "evil").exists()


def test_streams_of_large_artifacts_take_little_memory(url_of: UrlOf, tmp_path: Path) -> None:
    upload_mib, fetch_mib = apart(_peaks_mib, url_of, tmp_path)
    assert upload_mib < MOST_MIB
    assert fetch_mib < MOST_MIB


def _peaks_mib(url_of: UrlOf, folder: Path) -> tuple[float, float]:
    storage, other = opened(url_of(folder), folder), opened(url_of(folder), folder / "other")
    upload(storage, "warm")
    staging = storage.stage()
    version = fill(staging, "vk", b"x", Shape.FILE)
    with (staging / MODEL).open("wb") as file:
        for number in range(LARGE_MIB):
            file.write(number.to_bytes(1, "big") * MIB)
    version = _with_checksum(version, staging / MODEL)
    with storage.claim("vk") as claim:
        up_mib, stored = _growth_mib(partial(storage.commit, claim, staging, version))
    down_mib, fetched = _growth_mib(partial(other.artifact, stored))
    assert fetched.stat().st_size == LARGE_MIB * MIB
    return up_mib, down_mib


def _growth_mib(work: Callable[[], Any]) -> tuple[float, Any]:
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before = _memory_mib("VmRSS")
    result = work()
    return _memory_mib("VmHWM") - before, result


def _memory_mib(key: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(key))


# Leftovers.


def test_what_a_killed_upload_left_is_swept_and_nothing_else(
    storage: Storage, url_of: UrlOf, url: str, tmp_path: Path
) -> None:
    kept = upload(storage, "kept")
    before = {table: count(url, table) for table in metadata.tables}
    apart(_kill_amid_upload, url_of, tmp_path)
    assert count(url, "versions WHERE number IS NULL") == 1
    assert count(url, "chunks") > before["chunks"]
    assert storage.list() == [storage.model("kept")]
    storage.sweep()
    assert {table: count(url, table) for table in metadata.tables} == before
    assert list((tmp_path / CACHE / ".staging").iterdir()) == []
    assert fault_of(storage, kept) is None


def _kill_amid_upload(url_of: UrlOf, folder: Path) -> None:
    def start(report: Report) -> None:
        storage = opened(url_of(folder), folder)
        staging = storage.stage()
        version = fill(staging, "vk", b"x", Shape.FOLDER)
        # Nobody could store so much before the kill.
        os.truncate(staging / MODEL / "graph", 4096 * MIB)
        with storage.claim("vk") as claim:
            report("starting")
            storage.commit(claim, staging, version)

    victim = Child(start)
    victim.report()
    while count(url_of(folder), "chunks") < 5:
        assert not victim.has_ended()
    victim.kill()


def test_a_sweep_leaves_an_upload_that_goes_on(storage: Storage, other_host: Storage) -> None:
    staging = storage.stage()
    version = fill(staging, "vk", b"x", Shape.FILE)
    with storage.claim("vk") as claim:
        other_host.sweep()
        stored = storage.commit(claim, staging, version)
    assert fault_of(other_host, stored) is None


def test_removed_versions_leave_nothing_in_the_database(storage: Storage, url: str) -> None:
    before = {table: count(url, table) for table in metadata.tables}
    for number in range(3):
        upload(storage, "vk", f"{number}".encode(), Shape.FOLDER, keep=1)
    assert count(url, "versions") == 1
    with storage.claim("vk") as claim:
        storage.delete(claim)
    assert {table: count(url, table) for table in metadata.tables} == before


# The cache.


def test_what_is_cached_is_loaded_with_the_database_away(url_of: UrlOf, tmp_path: Path) -> None:
    storage = opened(url_of(tmp_path), tmp_path)
    stored = upload(storage, "vk")
    storage.close()
    away = make_sql_storage({"url": _away(url_of(tmp_path))}, tmp_path)
    with pytest.raises((StorageUnavailable, ConfigError), match=r"- at `\$\.storage\.url`"):
        away.open()
    assert fault_of(away, stored) is None
    shutil.rmtree(tmp_path / CACHE / "sha256")
    with pytest.raises(StorageUnavailable):
        away.artifact(stored)
    away.close()


def _away(url: str) -> str:
    """The URL of a database that is not there."""
    if url.startswith("sqlite"):
        return "sqlite:////proc/no/tfaas.db"
    return url.replace("/test_", "/gone_")


def test_a_removed_cache_is_filled_anew(storage: Storage, tmp_path: Path) -> None:
    stored = upload(storage, "vk", shape=Shape.FOLDER)
    shutil.rmtree(tmp_path / CACHE)
    assert fault_of(storage, stored) is None


def test_processes_that_want_one_artifact_fetch_it_once(
    storage: Storage, url_of: UrlOf, tmp_path: Path
) -> None:
    stored = upload(storage, "vk", shape=Shape.FOLDER)
    shutil.rmtree(tmp_path / CACHE)
    fetches = apart(_fetch_together, url_of, tmp_path)
    assert sum(fetches) == 1
    assert fault_of(storage, stored) is None


def _fetch_together(url_of: UrlOf, folder: Path) -> list[int]:
    def fetch(report: Report) -> None:
        storage = opened(url_of(folder), folder)
        version = newest(storage, "vk")
        assert version is not None
        with statements() as seen:
            assert fault_of(storage, version) is None
        report(int(any("chunks" in statement for statement in seen)))

    children = [Child(fetch) for _ in range(4)]
    return [child.finish()[0][0] for child in children]


def test_the_least_recently_used_leaves_a_full_cache(url: str, tmp_path: Path) -> None:
    storage = opened(url, tmp_path, cache_max_bytes=45_000)  # two artifacts
    stored = [upload(storage, "vk", f"{number}".encode()) for number in range(2)]
    entries = [tmp_path / CACHE / "sha256" / v.checksum.partition(":")[2] for v in stored]
    for entry, used_s_ago in zip(entries, (2000, 1000), strict=True):
        os.utime(entry, (time.time() - used_s_ago,) * 2)
    storage.artifact(stored[0])
    upload(storage, "vk", b"third")
    assert [entry.exists() for entry in entries] == [True, False]
    upload(storage, "vk", b"fourth")  # all others were used a moment ago
    assert entries[0].exists()
    assert fault_of(storage, stored[1]) is None
    storage.close()
