"""The URL of a database, checked: it becomes a Database."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from tfaas_backends.storages.sql.database import Database
from tfaas_backends.storages.sql.sqlite import Sqlite
from tfaas_core.configured_path import configured_path
from tfaas_core.errors import ConfigError

_EXAMPLES = "write it like sqlite:///tfaas.db or postgresql://user:password@host/database"
_POSTGRESQL = {"postgresql", "postgresql+psycopg"}
_WORDS = re.compile(r"\b(host|hostaddr|port|dbname|user|password|sslpassword) *=")
"""Of the other way to name a database, with a password in plain sight."""


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
        if _WORDS.search(f"{url.host} {url.database}"):
            raise _wrong(f"this is no URL of a database; {_EXAMPLES}")
        return _postgresql(url, shown)
    raise _wrong(f"{url.drivername[:40]!r} databases are not supported; {_EXAMPLES}")


def _file(url: URL, base: Path) -> Path:
    name = url.database or ""
    if name in ("", ":memory:"):
        raise _wrong("a database in memory is lost with its process; name a file")
    if name.startswith("file:") or url != URL.create("sqlite", database=name):
        raise _wrong("SQLite takes a file alone; write it like sqlite:///tfaas.db")
    return configured_path(name, base, "$.storage.url")


def _postgresql(url: URL, shown: str) -> Database:
    try:
        from tfaas_backends.storages.sql.parameters import is_port, malformed, unknown
        from tfaas_backends.storages.sql.postgresql import PostgreSql
    except ImportError:
        raise _wrong("PostgreSQL needs psycopg: pip install 'tfaas[postgresql]'") from None
    if unknown(url.query):
        # Its name, too, is part of a password that has both `@` and `?` in it.
        raise _wrong(
            "behind `?` there is what is no parameter of PostgreSQL's; write `?` in a password as"
            f" %3F; {_EXAMPLES}?sslmode=require"
        )
    if name := malformed(url.query):
        raise _wrong(f"PostgreSQL does not take the value of the parameter `{name}`; correct it")
    if url.port is not None and not is_port(str(url.port)):
        raise _wrong("there is no such port; they are numbers from 1 to 65535")
    try:
        return PostgreSql(url.set(drivername="postgresql+psycopg"), shown)
    except ArgumentError:  # hosts and ports of several servers
        raise _wrong(f"the hosts behind `?` are none; {_EXAMPLES}?host=one:5432") from None


def _shown(url: URL) -> str:
    # Neither the password nor the parameters, which may hold one, too.
    shown = URL.create(url.drivername, url.username, None, url.host, url.port, url.database)
    return shown.render_as_string()


def _wrong(what: str) -> ConfigError:
    return ConfigError(f"{what} - at `$.storage.url`")
