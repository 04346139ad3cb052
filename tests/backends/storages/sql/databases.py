"""SQL storages of a folder: their database and their cache are its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import psycopg
from sqlalchemy import Connection, Engine, NullPool, create_engine, event, text
from tfaas_backends.storages.sql import make_sql_storage

from tfaas_core.storage import Storage
from tfaas_core.testing.postgresql import PASSWORD, USER, database_for

CACHE = "cache"


class UrlOf(Protocol):
    """The URL of a folder's database."""

    def __call__(self, folder: Path, /) -> str: ...


def sqlite_url(folder: Path) -> str:
    return f"sqlite:///{folder}/tfaas.db"


def postgresql_url(folder: Path) -> str:
    return database_for(folder)


def sqlite_storage(folder: Path) -> Storage:
    return make_sql_storage({"url": sqlite_url(folder)}, folder)


def postgresql_storage(folder: Path) -> Storage:
    return make_sql_storage({"url": postgresql_url(folder)}, folder)


def opened(url: str, folder: Path, **table: Any) -> Storage:
    """An open storage on a database, with a folder's cache."""
    storage = make_sql_storage({"url": url, **table}, folder)
    storage.open()
    return storage


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    """A connection of the test's own, to look at tables or to damage them."""
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def count(url: str, rows: str) -> int:
    """How many rows ``SELECT count(*) FROM rows`` counts."""
    with connected(url) as connection:
        return int(connection.scalar(text(f"SELECT count(*) FROM {rows}")) or 0)


@contextmanager
def statements() -> Iterator[list[str]]:
    """All SQL that is executed inside the block."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)


@contextmanager
def meanwhile(beginning: str, act: Callable[[], object], nth: int = 1) -> Iterator[None]:
    """Acts once, right before the ``nth`` statement inside the block that begins so."""
    seen = 0

    def look(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        nonlocal seen
        if statement.startswith(beginning):
            seen += 1
            if seen == nth:
                act()

    event.listen(Engine, "before_cursor_execute", look)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", look)
    assert seen >= nth


@contextmanager
def account(url: str, name: str, grant: str) -> Iterator[str]:
    """The URL of the same database for another account, which there is inside the block."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'".encode())
        try:
            connection.execute(grant.encode())
            yield url.replace(f"//{USER}:", f"//{name}:")
        finally:
            connection.execute(f"DROP OWNED BY {name}".encode())
            connection.execute(f"DROP ROLE {name}".encode())
