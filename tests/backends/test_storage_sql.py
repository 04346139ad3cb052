"""What SQL storages do beyond the contract, on every database."""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from tfaas_backends import sql_migrations
from tfaas_backends.sql_schema import REVISIONS, VERSION_TABLE
from tfaas_backends.sql_tables import metadata
from tfaas_backends.storage_sql import make_sql_storage, tfaas_register_storages

from tests.backends.sql_storages import (
    CACHE,
    UrlOf,
    connected,
    count,
    opened,
    postgresql_url,
    sqlite_url,
    statements,
)
from tfaas_core.checksum import artifact_checksum
from tfaas_core.errors import ConfigError, DamagedFile, StorageUnavailable
from tfaas_core.model import ModelVersion
from tfaas_core.storage import MODEL, Storage
from tfaas_core.testing.children import Child, Report, apart
from tfaas_core.testing.storage_processes import Shape, fault_of, fill, newest, upload

MIB = 1024 * 1024


@pytest.fixture(params=["sqlite", "postgresql"])
def url_of(request: pytest.FixtureRequest) -> UrlOf:
    if request.param == "sqlite":
        return sqlite_url
    request.getfixturevalue("postgresql")
    return postgresql_url


@pytest.fixture
def url(url_of: UrlOf, tmp_path: Path) -> str:
    return url_of(tmp_path)


@pytest.fixture
def storage(url: str, tmp_path: Path) -> Iterator[Storage]:
    storage = opened(url, tmp_path)
    yield storage
    storage.close()


@pytest.fixture
def other_host(url: str, tmp_path: Path) -> Iterator[Storage]:
    """A storage on the same database that has a cache of its own."""
    storage = opened(url, tmp_path / "other")
    yield storage
    storage.close()


def execute(url: str, statement: str, **values: Any) -> None:
    with connected(url) as connection:
        connection.execute(text(statement), values)


# The table.


def test_the_storage_is_registered_as_sql(tmp_path: Path) -> None:
    storage = tfaas_register_storages()["sql"]({}, tmp_path)
    storage.open()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "tfaas.db"]
    storage.close()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"url": 1}, "Expected `str | object`, got `int` - at `$.storage.url`"),
        ({"root": "x"}, "Object contains unknown field `root` - at `$.storage`"),
        ({"cache": ""}, "Expected `str` of length >= 1 - at `$.storage.cache`"),
        ({"cache_max_bytes": 0}, "Expected `int` >= 1 - at `$.storage.cache_max_bytes`"),
        ({"url": {"env": "NOT_SET"}}, "the environment variable NOT_SET is empty or not there"),
        ({"url": "s3cret"}, "this is no URL of a database"),
        ({"url": "postgresql://me:s3cret@host:port/x"}, "this is no URL of a database"),
        ({"url": "mysql://me:s3cret@host/x"}, "'mysql' databases are not supported"),
        ({"url": "postgresql+asyncpg://me:s3cret@host/x"}, "are not supported"),
        ({"url": "sqlite://"}, "a database in memory is lost with its process"),
        ({"url": "sqlite:///:memory:"}, "a database in memory is lost with its process"),
        ({"url": "sqlite:///file:x?uri=true"}, "SQLite takes a file alone"),
        ({"url": "sqlite://host/x"}, "SQLite takes a file alone"),
    ],
)
def test_a_wrong_table_is_refused_with_its_key(table: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make_sql_storage(table, Path())
    assert caught.value.message.startswith(message) or message in caught.value.message
    assert "- at `$.storage" in caught.value.message
    assert "s3cret" not in caught.value.message
    assert "\n" not in caught.value.message


def test_the_url_may_be_in_a_variable_or_a_file(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THE_URL", url)
    (tmp_path / "url").write_text(f"{url}\n")
    for place in ({"env": "THE_URL"}, {"file": "url"}):
        storage = make_sql_storage({"url": place}, tmp_path)
        storage.open()
        assert storage.list() == []
        storage.close()


def test_a_cache_that_cannot_be_made_is_a_wrong_configuration(url: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigError, match=r"Not a directory - at `\$\.storage\.cache`"):
        opened(url, tmp_path, cache="file/cache")


# The schema.


def test_the_steps_of_the_schema_make_the_tables(storage: Storage, url: str) -> None:
    with connected(url) as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": VERSION_TABLE, "compare_server_default": True}
        )
        assert compare_metadata(context, metadata) == []


def test_the_known_revisions_are_those_of_the_steps() -> None:
    scripts = ScriptDirectory(str(Path(sql_migrations.__file__).parent))
    steps = [step.revision for step in scripts.walk_revisions()]
    assert tuple(reversed(steps)) == REVISIONS


def test_a_newer_schema_is_refused(storage: Storage, url: str, tmp_path: Path) -> None:
    execute(url, f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    message = rf"has schema 9999, newer than this TFaaS, which knows {REVISIONS[-1]}; update TFaaS"
    with pytest.raises(ConfigError, match=message):
        opened(url, tmp_path)


def test_an_open_database_is_not_written(storage: Storage, url: str, tmp_path: Path) -> None:
    with statements() as seen:
        opened(url, tmp_path).close()
    assert seen
    changing = ("INSERT", "UPDATE", "DELETE", "CREATE", "ALTER")
    assert [s for s in seen if s.lstrip().upper().startswith(changing)] == []


def test_processes_that_open_a_new_database_together_all_can(url_of: UrlOf, tmp_path: Path) -> None:
    apart(_open_together, url_of, tmp_path / "new")


def _open_together(url_of: UrlOf, folder: Path) -> None:
    def open_one(report: Report) -> None:
        storage = opened(url_of(folder), folder)
        report(upload(storage, f"model-{os.getpid()}").version)

    children = [Child(open_one) for _ in range(4)]
    assert [child.finish() for child in children] == [[[1]]] * 4


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
    assert upload_mib < 64
    assert fetch_mib < 64


def _peaks_mib(url_of: UrlOf, folder: Path) -> tuple[float, float]:
    storage, other = opened(url_of(folder), folder), opened(url_of(folder), folder / "other")
    upload(storage, "warm")
    staging = storage.stage()
    version = fill(staging, "vk", b"x", Shape.FILE)
    with (staging / MODEL).open("wb") as file:
        for number in range(224):
            file.write(number.to_bytes(1, "big") * MIB)
    version = _with_checksum(version, staging / MODEL)
    with storage.claim("vk") as claim:
        up_mib, stored = _growth_mib(partial(storage.commit, claim, staging, version))
    down_mib, fetched = _growth_mib(partial(other.artifact, stored))
    assert fetched.stat().st_size == 224 * MIB
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
        (staging / MODEL / "graph").write_bytes(bytes(100 * MIB))
        with storage.claim("vk") as claim:
            report("starting")
            storage.commit(claim, staging, version)

    victim = Child(start)
    victim.report()
    while count(url_of(folder), "chunks") < 5:
        pass
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


# Reading.


def test_an_unchanged_list_or_model_takes_one_small_query(storage: Storage) -> None:
    models = [upload(storage, f"model-{number}") for number in range(20)]
    assert [model.live for model in storage.list()] == sorted(models, key=lambda m: m.name)
    storage.model("model-7")
    for call in (storage.list, lambda: storage.model("model-7"), storage.revision):
        with statements() as seen:
            call()
        assert len(seen) == 1, seen
        assert "record" not in seen[0]


def test_a_list_reads_again_only_what_changed(storage: Storage, other_host: Storage) -> None:
    for number in range(20):
        upload(storage, f"model-{number}")
    storage.list()
    upload(other_host, "model-7")
    with other_host.claim("model-8") as claim:
        other_host.delete(claim)
    with statements() as seen:
        listed = storage.list()
    assert len(listed) == 19
    assert newest(storage, "model-7") == newest(other_host, "model-7")
    reading = [statement for statement in seen if "record" in statement]
    assert len(reading) == 1
    assert "IN (" in reading[0]


@pytest.mark.parametrize("broken", ["", "{", "[]", '{"name": "vk"}', "[" * 100_000])
def test_a_broken_record_hides_its_version_only_and_is_logged_once(
    storage: Storage, url: str, broken: str, caplog: pytest.LogCaptureFixture
) -> None:
    first = upload(storage, "vk", b"one")
    upload(storage, "vk", b"two")
    other = upload(storage, "other")
    execute(url, "UPDATE versions SET record = :broken WHERE number = 2", broken=broken)
    execute(url, "UPDATE models SET revision = 1000 WHERE name = 'vk'")
    execute(url, "UPDATE state SET revision = 1000")
    for _ in range(3):
        assert [model.live for model in storage.list()] == [other, first]
    assert [entry.levelno for entry in caplog.records] == [logging.WARNING]
    assert "a record of model 'vk' in the database is broken" in caplog.text


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
