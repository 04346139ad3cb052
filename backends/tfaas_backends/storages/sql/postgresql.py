"""The database that is a PostgreSQL server."""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Any

import psycopg
from sqlalchemy import URL, Connection, ExceptionContext, create_engine, event, func, select, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from tfaas_backends.storages.sql.database import READ_ONLY, Connect, Database
from tfaas_backends.storages.sql.tables import state
from tfaas_core.errors import Busy, StorageUnavailable

CHANNEL = "tfaas"

_CONNECT = {
    "application_name": "tfaas",
    "client_encoding": "utf8",
    "connect_timeout": 3,
    # A network that goes silent is noticed within seconds, not after the kernel's hours.
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
_SESSION = {
    "lock_timeout": "10s",
    "statement_timeout": "60s",
    "idle_in_transaction_session_timeout": "30s",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "20s",
}
"""The server, too, lets go of a host that fell silent, and of its claims."""

_POOLED = 2
MAX_CLAIMS = 16
"""At a time in one process. Each is a connection, for as long as its upload lasts."""

_LISTEN_AGAIN_S = 30.0

_CLAIMING_S = 0.25
"""How long the server may take to notice that the holder of a claim was killed."""
_CLAIM_POLL_S = 0.02

_LOOK_S = 2.0
"""How often the revision is looked at, should a notification have got lost."""


_STATE = text(
    "SELECT to_regclass('chunks') IS NOT NULL, current_setting('transaction_read_only') = 'on',"
    " coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)"
)
_LACKING = text(
    "SELECT string_agg(lacks, ', ') FROM ("
    " SELECT string_agg(kind, ', ') || ' on ' || name AS lacks FROM (VALUES"
    "  ('state', 'UPDATE'), ('chunks', 'INSERT'), ('chunks', 'DELETE'),"
    "  ('models', 'INSERT'), ('models', 'UPDATE'), ('models', 'DELETE'),"
    "  ('versions', 'INSERT'), ('versions', 'UPDATE'), ('versions', 'DELETE'),"
    "  ('files', 'INSERT'), ('files', 'UPDATE'), ('files', 'DELETE')"
    " ) AS needed(name, kind) WHERE NOT has_table_privilege(name, kind) GROUP BY name"
    " UNION ALL SELECT 'USAGE on ' || name FROM (VALUES"
    "  (pg_get_serial_sequence('versions', 'id')), (pg_get_serial_sequence('files', 'id'))"
    " ) AS sequences(name) WHERE NOT has_sequence_privilege(name, 'USAGE')"
    ") AS all_of_them"
)


class _BinaryCursor(psycopg.Cursor[Any]):
    """Gets bytes as they are, not as hexadecimal text."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.format = psycopg.pq.Format.BINARY


class PostgreSql(Database):
    """PostgreSQL, through psycopg. A claim is an advisory lock of a session."""

    begin_write = "BEGIN"
    begin_read = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
    remedy = "name a server, and an account of it, that may change it in storage.url"

    def __init__(self, url: URL, shown: str) -> None:
        engine = create_engine(
            url,
            isolation_level="AUTOCOMMIT",
            pool_pre_ping=True,
            pool_size=_POOLED,
            max_overflow=-1,
            hide_parameters=True,
            connect_args={"cursor_factory": _BinaryCursor}
            | {key: value for key, value in _CONNECT.items() if key not in url.query},
        )
        event.listen(engine, "connect", _set_up)
        told = [url.password, *url.query.values()]
        self._hidden = [value for value in told if isinstance(value, str) and value]
        event.listen(engine, "handle_error", self._hide)
        super().__init__(engine, shown)
        self._claims = threading.BoundedSemaphore(MAX_CLAIMS)
        self._listening: Connection | None = None
        self._listen_at_s = 0.0

    def _hide(self, context: ExceptionContext) -> None:
        """Takes out of a message what it quotes of the URL, where a password may have got."""
        error = context.original_exception
        for told in self._hidden:
            quoted = re.compile(rf"(['\"]){re.escape(told)}\1")
            error.args = tuple(quoted.sub(r"\1***\1", str(part)) for part in error.args)

    def exists(self) -> bool:
        return True

    def examine(self) -> str:
        """Only the server can tell."""
        return ""

    def prepare(self) -> None:
        """The server has made it."""

    def lock_schema(self, connection: Connection) -> None:
        connection.execute(select(func.pg_advisory_xact_lock(_key("schema"))))

    def obstacle(self, connection: Connection) -> str:
        has_schema, is_read_only, may_create = connection.execute(_STATE).one()
        if is_read_only:
            return READ_ONLY
        if not has_schema:
            return "" if may_create else "its account may make no tables"
        lacks = connection.scalar(_LACKING)
        return f"its account lacks the rights: {lacks}" if lacks else ""

    @contextmanager
    def claim(self, name: str) -> Iterator[Connect]:
        key = _key(f"model {name}")
        with self._one_of_few(), self.engine.connect() as connection:
            _lock(connection, key, name)
            try:
                yield lambda: nullcontext(connection)
            finally:
                try:
                    connection.execute(select(func.pg_advisory_unlock(key)))
                except SQLAlchemyError:
                    connection.invalidate()  # which ends the session, and the lock with it

    @contextmanager
    def _one_of_few(self) -> Iterator[None]:
        if not self._claims.acquire(blocking=False):
            raise StorageUnavailable(
                f"{MAX_CLAIMS} uploads are under way here, which is the most; try again"
            )
        try:
            yield
        finally:
            self._claims.release()

    def tell(self, connection: Connection, revision: int) -> None:
        connection.execute(select(func.pg_notify(CHANNEL, str(revision))))

    def wait(self, seen: str, timeout_s: float) -> str | None:
        end_s = time.monotonic() + timeout_s
        if time.monotonic() < self._listen_at_s:
            return None
        try:
            connection = self._listening = self._listening or self._listen()
            while (revision := str(connection.scalar(select(state.c.revision)))) == seen:
                left_s = end_s - time.monotonic()
                if left_s <= 0:
                    break
                _sleep_until_told(connection, min(left_s, _LOOK_S), self)
        except BaseException as error:
            self._stop_listening()
            if _is_standby(error):
                self._listen_at_s = time.monotonic() + _LISTEN_AGAIN_S
                return None
            raise
        return revision

    def _listen(self) -> Connection:
        connection = self.engine.connect()
        connection.detach()  # from the pool: it is closed, not used again
        try:
            connection.exec_driver_sql(f"LISTEN {CHANNEL}")
        except BaseException:
            connection.close()
            raise
        return connection

    def _stop_listening(self) -> None:
        connection, self._listening = self._listening, None
        if connection is not None:
            with suppress(SQLAlchemyError):
                connection.close()

    def close(self) -> None:
        self._stop_listening()
        super().close()


def _set_up(connection: Any, _record: object) -> None:
    autocommit = connection.autocommit
    connection.autocommit = True  # what a transaction sets, its end takes back
    settings = ", ".join(
        f"set_config('{name}', '{value}', false)" for name, value in _SESSION.items()
    )
    connection.execute(f"SELECT {settings}")
    connection.autocommit = autocommit


def _is_standby(error: BaseException) -> bool:
    """Whether the server refuses to LISTEN because it only follows another."""
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", "") == "25006"


def _sleep_until_told(connection: Connection, timeout_s: float, database: Database) -> None:
    driver: Any = connection.connection.dbapi_connection
    try:
        for _ in driver.notifies(timeout=timeout_s, stop_after=1):
            pass
    except psycopg.Error as error:
        lost = database.sentences("waiting for changes failed: the connection to", " was lost")
        raise StorageUnavailable(*lost) from error


def _lock(connection: Connection, key: int, name: str) -> None:
    end_s = time.monotonic() + _CLAIMING_S
    while not connection.scalar(select(func.pg_try_advisory_lock(key))):
        if time.monotonic() >= end_s:
            raise Busy(
                f"model {name!r} is being uploaded or deleted by another request; try again later",
                model=name,
            )
        time.sleep(_CLAIM_POLL_S)


def _key(what: str) -> int:
    digest = hashlib.sha256(f"tfaas {what}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
