"""The URL of a database, checked: it becomes a Database."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from tfaas_backends.sql_database import Database
from tfaas_backends.sql_sqlite import Sqlite
from tfaas_core.errors import ConfigError

_EXAMPLES = "write it like sqlite:///tfaas.db or postgresql://user:password@host/database"
_POSTGRESQL = {"postgresql", "postgresql+psycopg"}


def database_of(text: str, base: Path) -> Database:
    """The database of a URL; a relative file is below ``base``. Nothing is connected to yet.

    Raises ConfigError, without a word of the URL that may be part of a password.
    """
    try:
        url = make_url(text)
        shown = _shown(url)
        if "\0" in unquote(text):
            raise ValueError
    except (ArgumentError, ValueError):
        raise _wrong(f"this is no URL of a database; {_EXAMPLES}") from None
    if url.drivername == "sqlite":
        return Sqlite(_file(url, base), shown)
    if url.drivername in _POSTGRESQL:
        # A password with such a character in it would end up here, and in messages.
        if "@" in (url.host or "") or not {"@", ":", "/"}.isdisjoint(url.database or ""):
            raise _wrong(
                f"this is no URL of a database: write `@` in it as %40, `:` as %3A, "
                f"`/` as %2F; {_EXAMPLES}"
            )
        return _postgresql(url, shown)
    raise _wrong(f"{url.drivername[:40]!r} databases are not supported; {_EXAMPLES}")


def _file(url: URL, base: Path) -> Path:
    name = url.database or ""
    if name in ("", ":memory:"):
        raise _wrong("a database in memory is lost with its process; name a file")
    if name.startswith("file:") or url.query or url.host:
        raise _wrong("SQLite takes a file alone; write it like sqlite:///tfaas.db")
    return base / name


def _postgresql(url: URL, shown: str) -> Database:
    try:
        from tfaas_backends.sql_postgresql import PostgreSql, is_parameter
    except ImportError:
        raise _wrong("PostgreSQL needs psycopg: pip install 'tfaas[postgresql]'") from None
    if not all(is_parameter(name, value) for name, value in url.query.items()):
        # Its name, too, is part of a password that has both `@` and `?` in it.
        raise _wrong(
            "behind `?` there is what is no parameter of PostgreSQL's; write `?` in a password as"
            f" %3F; {_EXAMPLES}?sslmode=require"
        )
    return PostgreSql(url.set(drivername="postgresql+psycopg"), shown)


def _shown(url: URL) -> str:
    # Neither the password nor the parameters, which may hold one, too.
    shown = URL.create(url.drivername, url.username, None, url.host, url.port, url.database)
    return shown.render_as_string()


def _wrong(what: str) -> ConfigError:
    return ConfigError(f"{what} - at `$.storage.url`")
