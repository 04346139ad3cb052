"""``tfaas db`` as a user sees it, on a database that is a file."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tfaas_backends.storages.sql.schema import REVISIONS

from tests.cli.conftest import Fails, Tfaas
from tfaas_core.cli import main

SQL = ("--set", "storage.kind=sql")
NEWEST = REVISIONS[-1]


@pytest.fixture
def database(here: Path) -> Path:
    """The database that the default URL means."""
    return here / "tfaas.db"


def set_revision(database: Path, revision: str) -> None:
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("UPDATE tfaas_schema SET version_num = ?", [revision])
        connection.commit()


def test_a_new_database_is_upgraded_once(tfaas: Tfaas, fails: Fails, database: Path) -> None:
    none = f"the database has schema none, this TFaaS works with {NEWEST}; run `tfaas db upgrade`"
    assert fails("db", "check", *SQL) == none
    assert tfaas("db", "current", *SQL) == f"schema none; this TFaaS works with {NEWEST}\n"
    assert not database.exists()
    assert tfaas("db", "upgrade", *SQL) == f"schema {NEWEST}, upgraded from none\n"
    before = database.read_bytes()
    assert tfaas("db", "upgrade", *SQL) == f"schema {NEWEST} is up to date\n"
    assert tfaas("db", "check", *SQL) == f"schema {NEWEST} is up to date\n"
    assert tfaas("db", "current", *SQL) == f"schema {NEWEST}, the newest\n"
    assert database.read_bytes() == before


def test_a_newer_schema_is_told_and_left_alone(tfaas: Tfaas, fails: Fails, database: Path) -> None:
    tfaas("db", "upgrade", *SQL)
    set_revision(database, "9999")
    newer = f"the database has schema 9999, this TFaaS works with {NEWEST}"
    assert fails("db", "check", *SQL) == f"{newer}; it is newer: update TFaaS"
    assert json.loads(tfaas("db", "current", "--json", *SQL)) == {
        "current": "9999",
        "newest": NEWEST,
        "up_to_date": False,
    }
    assert " has schema 9999, newer than this TFaaS" in fails("db", "upgrade", *SQL)


@pytest.mark.parametrize("command", ["upgrade", "current", "check"])
def test_a_storage_without_a_database_needs_nothing(tfaas: Tfaas, here: Path, command: str) -> None:
    assert "no database" in tfaas("db", command)


@pytest.mark.parametrize("command", ["upgrade", "current", "check"])
def test_a_database_that_is_away_is_one_line_without_the_password(
    fails: Fails, here: Path, command: str
) -> None:
    url = "storage.url=postgresql://me:s3cret@127.0.0.1:1/models"
    message = fails("db", command, *SQL, "--set", url)
    assert "postgresql://me@127.0.0.1:1/models" in message
    assert "Connection refused" in message
    assert message.endswith("- at `$.storage.url`")
    assert "s3cret" not in message


def test_a_command_is_needed(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["db"]) == 2
    assert "Usage: tfaas db" in capfd.readouterr().err
