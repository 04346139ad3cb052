"""What SQL storages do beyond the contract, on every database."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.dialects import mysql
from sqlalchemy.schema import CreateTable
from tfaas_backends.storages.sql import make_sql_storage, tfaas_register_storages
from tfaas_backends.storages.sql import migrations as sql_migrations
from tfaas_backends.storages.sql.schema import REVISIONS, VERSION_TABLE
from tfaas_backends.storages.sql.tables import metadata

from tests.backends.storages.sql.databases import (
    UrlOf,
    connected,
    opened,
    statements,
)
from tfaas_core.errors import ConfigError
from tfaas_core.storage import Storage
from tfaas_core.testing.children import Child, Report, apart
from tfaas_core.testing.storage_processes import newest, upload

TABLES = metadata.sorted_tables


def execute(url: str, statement: str, **values: Any) -> None:
    with connected(url) as connection:
        connection.execute(text(statement), values)


# The table.


def test_the_storage_is_registered_as_sql(tmp_path: Path) -> None:
    storage = tfaas_register_storages()["sql"]({}, tmp_path)
    storage.open()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("cache", "tfaas.db", "tfaas.db-claims")
    ]
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
        ({"url": "sqlite://me:s3cret@/x"}, "SQLite takes a file alone"),
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


def test_the_tables_suit_mariadb() -> None:
    made = "\n".join(str(CreateTable(t).compile(dialect=mysql.dialect())) for t in TABLES)
    assert made.count("VARCHAR(128) COLLATE utf8mb4_bin") == 2  # else "VK" would be "vk"
    assert made.count("TEXT(4294967295)") == 4  # else 64 KiB
    assert made.count("BLOB(4294967295)") == 1


def test_the_known_revisions_are_those_of_the_steps() -> None:
    scripts = ScriptDirectory(str(Path(sql_migrations.__file__).parent))
    steps = [step.revision for step in scripts.walk_revisions()]
    assert tuple(reversed(steps)) == REVISIONS


def test_a_newer_schema_is_refused(storage: Storage, url: str, tmp_path: Path) -> None:
    execute(url, f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    message = rf"has schema 9999, newer than this TFaaS, which knows {REVISIONS[-1]}; update TFaaS"
    with pytest.raises(ConfigError, match=message):
        opened(url, tmp_path)


@pytest.mark.parametrize("table", ["versions", VERSION_TABLE])
def test_tables_of_another_program_are_left_alone(url: str, tmp_path: Path, table: str) -> None:
    Path(tmp_path, "tfaas.db").touch()
    execute(url, f"CREATE TABLE {table} (theirs integer)")
    with pytest.raises(ConfigError, match=rf"has tables of another program: {table}; name a"):
        opened(url, tmp_path)
    execute(url, f"SELECT theirs FROM {table}")


def test_a_schema_that_lost_its_tables_is_refused(
    storage: Storage, url: str, tmp_path: Path
) -> None:
    execute(url, "DROP TABLE chunks")
    with pytest.raises(ConfigError, match=r"lacks its tables: chunks; bring back a backup"):
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
