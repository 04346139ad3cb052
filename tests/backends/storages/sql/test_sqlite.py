"""SQL storages on SQLite: the contract, and disks that are full or read-only."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
from tfaas_backends.storages.sql import make_sql_storage

from tests.backends.storages.sql.databases import (
    CACHE,
    count,
    opened,
    sqlite_storage,
    sqlite_url,
)
from tests.core.local_disk.disks import fill_up, make_read_only, small_disk
from tests.other_account import needs_root, open_folder, told_nobody
from tfaas_core.errors import Busy, ConfigError, StorageFull, StorageUnavailable
from tfaas_core.models.checksum import artifact_checksum
from tfaas_core.storage import MODEL, DefaultChoice
from tfaas_core.testing.storage import StorageContract
from tfaas_core.testing.storage_processes import Shape, fault_of, fill, newest, upload

MIB = 1024 * 1024


class TestSqliteStorage(StorageContract):
    make_storage = staticmethod(sqlite_storage)
    syncs_files = False


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", size_mib=16) as folder:
        yield folder


def test_a_file_and_its_folder_are_made_for_their_owner_only(tmp_path: Path) -> None:
    opened(f"sqlite:///{tmp_path}/a/b/models.db", tmp_path).close()
    assert (tmp_path / "a" / "b" / "models.db").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700


def test_a_database_is_claimed_however_its_path_is_spelt(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    one = opened(f"sqlite:///{tmp_path}/real/tfaas.db", tmp_path / "one")
    other = opened(f"sqlite:///{tmp_path}/link/tfaas.db", tmp_path / "other")
    with one.claim("vk"):
        with pytest.raises(Busy), other.claim("vk"):
            pass
        staging = one.stage()
        other.sweep()
        one.discard(staging)


def test_a_database_that_is_missing_is_not_replaced_by_an_empty_one(tmp_path: Path) -> None:
    storage = opened(sqlite_url(tmp_path), tmp_path)
    stored = upload(storage, "vk")
    file = tmp_path / "tfaas.db"
    file.rename(tmp_path / "away.db")
    with pytest.raises(StorageUnavailable):
        storage.list()
    with pytest.raises(StorageUnavailable, match=r"is missing.* - at `\$\.storage\.url`$"):
        opened(sqlite_url(tmp_path), tmp_path)
    (tmp_path / "away.db").rename(file)
    assert newest(storage, "vk") == newest(opened(sqlite_url(tmp_path), tmp_path), "vk") == stored


@pytest.mark.parametrize("name", ["100% sure.db", "a&mode=ro#b.db", "Größe.db"])
def test_a_file_may_have_any_name(tmp_path: Path, name: str) -> None:
    storage = opened(f"sqlite:///{tmp_path}/{name}", tmp_path)
    upload(storage, "vk")
    assert (tmp_path / name).stat().st_size > 20_000
    storage.close()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"no database at all", "it is not a SQLite database; name another file"),
        (b"SQLite format 2\0" + bytes(5_000), "it is not a SQLite database; name another file"),
        (b"SQLite format 3\0" + b"rubbish" * 700, "it is not a SQLite database; name another"),
        (b"SQLite format 3\0" + bytes(40), "it is not a SQLite database; name another file"),
    ],
)
def test_a_file_of_something_else_is_a_wrong_configuration(
    tmp_path: Path, content: bytes, why: str
) -> None:
    (tmp_path / "tfaas.db").write_bytes(content)
    with pytest.raises(ConfigError, match=rf"cannot be used: {why}.* - at `\$\.storage\.url`$"):
        opened(sqlite_url(tmp_path), tmp_path)
    assert (tmp_path / "tfaas.db").read_bytes() == content


@pytest.mark.parametrize("place", ["file/tfaas.db", "folder"])
def test_a_file_that_cannot_be_made_is_a_wrong_configuration(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConfigError, match=r"cannot be used: .* - at `\$\.storage\.url`"):
        opened(f"sqlite:///{tmp_path}/{place}", tmp_path)


def test_a_claim_leaves_no_folder_behind(tmp_path: Path) -> None:
    storage = opened(sqlite_url(tmp_path), tmp_path)
    upload(storage, "vk")
    claims = (tmp_path / "tfaas.db-claims").iterdir()
    assert [path.name for path in claims if not path.name.startswith(".")] == []
    storage.close()


def test_small_uploads_get_their_turn_beside_a_large_one(tmp_path: Path) -> None:
    storage = opened(sqlite_url(tmp_path), tmp_path)
    staging = storage.stage()
    large = fill(staging, "large", b"", Shape.FILE)
    (staging / MODEL).write_bytes(bytes(300_000_000))
    large = msgspec.structs.replace(large, checksum=artifact_checksum(staging / MODEL))
    with ThreadPoolExecutor(1) as pool, storage.claim("large") as claim:
        storing = pool.submit(storage.commit, claim, staging, large)
        uploads = 0
        while not storing.done():
            upload(storage, "vk", b"%d" % uploads)
            uploads += 1
        storing.result()
    assert uploads >= 4
    storage.close()


def test_a_file_may_go_away_and_come_back(tmp_path: Path) -> None:
    storage = opened(sqlite_url(tmp_path), tmp_path)
    stored, revision = upload(storage, "vk"), storage.revision()
    file, away = tmp_path / "tfaas.db", tmp_path / "away.db"
    file.rename(away)
    for call in (
        storage.list,
        storage.revision,
        storage.stage,
        storage.sweep,
        lambda: storage.model("vk"),
        lambda: storage.claim("vk").__enter__(),
        lambda: storage.wait_for_change(revision, 60.0),
    ):
        with pytest.raises(StorageUnavailable, match="unable to open database file") as lost:
            call()
        assert lost.value.for_clients.endswith("; the server's log says why")
        assert f"sqlite:///{tmp_path}/tfaas.db: unable to open" in lost.value.message
    assert fault_of(storage, stored) is None
    assert not file.exists()
    away.rename(file)
    assert [model.live for model in storage.list()] == [stored]
    assert upload(storage, "vk").version == 2
    storage.close()


def test_a_read_only_database_serves_and_refuses_changes(
    disk: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url = sqlite_url(disk)
    storage = opened(url, tmp_path)
    stored = upload(storage, "vk")
    storage.close()
    make_read_only(disk)
    storage = opened(url, tmp_path / "other")
    assert "its models are served, none can be changed: it is read-only" in caplog.text
    storage.sweep()
    assert [model.live for model in storage.list()] == [stored]
    assert newest(storage, "vk") == stored
    assert fault_of(storage, stored) is None
    for call in (
        storage.stage,
        lambda: storage.claim("vk").__enter__(),
        lambda: storage.choose_default(DefaultChoice("vk", "2026-01-01")),
    ):
        with pytest.raises(
            StorageUnavailable,
            match=f"in the database sqlite:///{disk}.*, since it is read-only; let the server's",
        ):
            call()
    storage.close()


def test_a_database_that_becomes_read_only_refuses_the_commit(disk: Path, tmp_path: Path) -> None:
    storage = opened(sqlite_url(disk), tmp_path)
    stored = upload(storage, "vk")
    staging = storage.stage()
    version = fill(staging, "vk", b"x", Shape.FILE)
    with storage.claim("vk") as claim:
        make_read_only(disk)
        with pytest.raises(
            StorageUnavailable, match=f"in the database sqlite:///{disk}.* is read-only"
        ):
            storage.commit(claim, staging, version)
        with pytest.raises(StorageUnavailable, match="read-only"):
            storage.delete(claim)
    storage.discard(staging)
    assert [model.live for model in storage.list()] == [stored]
    storage.close()


def test_a_read_only_disk_without_a_database_is_a_wrong_configuration(
    disk: Path, tmp_path: Path
) -> None:
    make_read_only(disk)
    with pytest.raises(ConfigError, match=r"Read-only file system - at `\$\.storage\.url`"):
        opened(sqlite_url(disk), tmp_path)


def test_a_read_only_database_without_a_schema_is_a_wrong_configuration(
    disk: Path, tmp_path: Path
) -> None:
    (disk / "tfaas.db").write_bytes(b"")
    make_read_only(disk)
    with pytest.raises(
        ConfigError, match=r"has no schema yet, and cannot be upgraded: it is read-only"
    ):
        opened(sqlite_url(disk), tmp_path)


def test_an_upload_that_does_not_fit_on_the_databases_disk_leaves_nothing(
    disk: Path, tmp_path: Path
) -> None:
    url = sqlite_url(disk)
    storage = opened(url, tmp_path)
    stored = upload(storage, "vk")
    staging = storage.stage()
    version = fill(staging, "vk", b"x", Shape.FILE)
    (staging / MODEL).write_bytes(bytes(32 * MIB))
    with storage.claim("vk") as claim, pytest.raises(StorageFull, match="storing model 'vk'"):
        storage.commit(claim, staging, version)
    storage.discard(staging)
    storage.sweep()
    assert [model.live for model in storage.list()] == [stored]
    assert fault_of(storage, stored) is None
    assert count(url, "versions") == count(url, "files") == 1
    assert upload(storage, "vk").version == 2
    storage.close()


def test_a_full_disk_of_the_cache_refuses_what_has_to_be_written_there(
    disk: Path, tmp_path: Path
) -> None:
    url = sqlite_url(tmp_path)
    uploading, storage = opened(url, tmp_path), opened(url, disk)
    stored = upload(uploading, "vk")
    staging = storage.stage()
    filler = fill_up(disk)
    with pytest.raises(StorageFull, match="fetching version vk/1 failed"):
        storage.artifact(stored)
    with pytest.raises(OSError, match="No space left"):
        fill(staging, "vk", b"x", Shape.FILE)
    storage.discard(staging)
    filler.unlink()
    assert list((disk / CACHE / ".staging").iterdir()) == []
    assert list((disk / CACHE / "sha256").iterdir()) == []
    assert fault_of(storage, stored) is None
    uploading.close()
    storage.close()


@needs_root
@pytest.mark.parametrize("place", ["tfaas.db", "new/tfaas.db", "closed/tfaas.db"])
def test_a_file_that_this_account_cannot_make_is_told_without_trying(place: str) -> None:
    with open_folder() as folder:
        (folder / "closed").mkdir(mode=0o700)
        table = {"url": f"sqlite:///{folder}/{place}", "cache": f"{folder}/cache"}
        (folder / "cache").mkdir()
        (folder / "cache").chmod(0o777)
        told = told_nobody(make_sql_storage(table, folder).examine)
        assert told.endswith("cannot be used: Permission denied - at `$.storage.url`")
        assert told == told_nobody(make_sql_storage(table, folder).open)


@needs_root
def test_a_cache_that_this_account_cannot_fill_is_told_without_trying() -> None:
    with open_folder() as folder:
        (folder / "cache").mkdir()
        table = {"url": f"sqlite:///{folder}/tfaas.db", "cache": f"{folder}/cache"}
        told = told_nobody(make_sql_storage(table, folder).examine)
        assert told.endswith("cannot be used: Permission denied - at `$.storage.cache`")
        assert told == told_nobody(make_sql_storage(table, folder).open)


def test_a_read_only_disk_without_a_database_is_told_without_trying(
    disk: Path, tmp_path: Path
) -> None:
    make_read_only(disk)
    with pytest.raises(ConfigError, match=r"cannot be used: .* - at `\$\.storage\.url`"):
        make_sql_storage({"url": sqlite_url(disk)}, tmp_path).examine()


def test_a_database_that_was_taken_away_is_told_without_trying(tmp_path: Path) -> None:
    opened(sqlite_url(tmp_path), tmp_path).close()
    (tmp_path / "tfaas.db").unlink()
    with pytest.raises(ConfigError, match="is missing; bring it back"):
        make_sql_storage({"url": sqlite_url(tmp_path)}, tmp_path).examine()
