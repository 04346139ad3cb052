"""Schema: which step of ``migrations`` a database is at, and how it gets to the newest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, column, inspect, select, table

from tfaas_backends.storages.sql.database import Database, broken, database_errors
from tfaas_backends.storages.sql.tables import metadata
from tfaas_core.errors import ConfigError, StorageUnavailable
from tfaas_core.storage import Migrations

REVISIONS = ("0001",)
"""Of all steps, in order."""

VERSION_TABLE = "tfaas_schema"

_version = table(VERSION_TABLE, column("version_num"))


class SqlMigrations(Migrations):
    """The schema of the SQL storage's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def current(self) -> str:
        if not self._database.exists():
            return ""
        with reaching(self._database), self._connected() as connection:
            return self._current(connection)

    def newest(self) -> str:
        return REVISIONS[-1]

    def knows(self, revision: str) -> bool:
        return revision in REVISIONS

    def upgrade(self) -> None:
        """Does nothing, and writes nothing, if the schema is the newest."""
        self._database.prepare()
        current = self.current()
        if current == self.newest():
            return
        self._check(current)
        database = self._database
        with reaching(database), self._connected() as connection:
            if obstacle := database.obstacle(connection):
                has = f"has schema {current}" if current else "has no schema yet"
                raise ConfigError(
                    f"the database {database.shown} {has}, and cannot be upgraded: {obstacle}; run"
                    " `tfaas db upgrade` with an account that may change it - at `$.storage.url`"
                )
            with database.writing(connection):
                database.lock_schema(connection)
                self._check(self._current(connection))  # another host may have been quicker
                _run_steps(connection)

    def _current(self, connection: Connection) -> str:
        """Raises ConfigError if the tables are those of something else."""
        while not inspect(connection).has_table(VERSION_TABLE):
            if not (taken := _tables(connection)):
                return ""
            if not inspect(connection).has_table(VERSION_TABLE):  # else a host made them just now
                raise self._taken(taken)
        if [c["name"] for c in inspect(connection).get_columns(VERSION_TABLE)] != ["version_num"]:
            raise self._taken({VERSION_TABLE})
        current = connection.scalar(select(_version.c.version_num)) or ""
        lacks = sorted(metadata.tables.keys() - _tables(connection))
        if current == self.newest() and lacks:
            why = f"it has schema {current}, but lacks its tables: {', '.join(lacks)}"
            raise self._database.unusable(f"{why}; bring back a backup, or name another database")
        return current

    def _taken(self, tables: set[str]) -> ConfigError:
        why = f"it has tables of another program: {', '.join(sorted(tables))}"
        return self._database.unusable(f"{why}; name a database for TFaaS alone")

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        with self._database.engine.connect() as connection:
            connection.detach()  # from the pool: nobody may ever close that
            yield connection

    def _check(self, current: str) -> None:
        if current and not self.knows(current):
            raise ConfigError(
                f"the database {self._database.shown} has schema {current}, newer than this TFaaS, "
                f"which knows {self.newest()}; update TFaaS - at `$.storage.url`"
            )


@contextmanager
def reaching(database: Database) -> Iterator[None]:
    """Names the database, and its key, if it cannot be reached inside the block."""
    try:
        with database_errors("reaching the database", database):
            yield
    except StorageUnavailable as error:
        if why := broken(error.__cause__):
            raise database.unusable(why) from error
        message = f"{error.message} - at `$.storage.url`"
        raise StorageUnavailable(message, error.for_clients) from error


def _tables(connection: Connection) -> set[str]:
    """Those of ours whose names are taken."""
    there = inspect(connection)
    return {name for name in metadata.tables if there.has_table(name)}


def _run_steps(connection: Connection) -> None:
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory(str(Path(__file__).with_name("migrations")))
    context = EnvironmentContext(
        Config(), scripts, fn=lambda revision, _: scripts._upgrade_revs("head", revision)
    )
    with context:
        context.configure(connection=connection, version_table=VERSION_TABLE)
        context.run_migrations()
