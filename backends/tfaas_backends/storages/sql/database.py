"""Database: what SQLite and PostgreSQL have in common, and where they differ."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

from sqlalchemy import Connection, CursorResult, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError, PendingRollbackError

from tfaas_core.errors import Busy, ConfigError, StorageFull, StorageUnavailable, TfaasError

READ_ONLY = "it is read-only"

Connect: TypeAlias = Callable[[], AbstractContextManager[Connection]]
"""Gives a connection for a ``with`` block."""


class Database(ABC):
    """An engine and its dialect's ways. Connections commit each statement by themselves.

    ``shown`` is the URL without the password: what messages may say. Methods raise SQLAlchemy's
    errors, which ``database_errors`` makes TFaaS's.
    """

    begin_write: ClassVar[str]
    begin_read: ClassVar[str]
    """Starts a transaction that sees everything as it was at one moment."""
    remedy: ClassVar[str]
    """What to do about an obstacle."""

    def __init__(self, engine: Engine, shown: str) -> None:
        self.engine = engine
        self.shown = shown

    @abstractmethod
    def exists(self) -> bool:
        """Whether one can try to connect to it already. Raises ConfigError if one never can."""

    @abstractmethod
    def examine(self) -> str:
        """What would be an obstacle, as far as can be told without asking another machine.

        Raises what ``prepare`` would raise, as far as can be told without making anything.
        """

    @abstractmethod
    def prepare(self) -> None:
        """Makes what the database needs before one can connect to it. Raises ConfigError."""

    def written(self) -> Sequence[Path]:
        """The files and folders on this machine that it changes."""
        return ()

    @abstractmethod
    def lock_schema(self, connection: Connection) -> None:
        """Waits, in a transaction that changes something, until no other may change the schema."""

    @abstractmethod
    def obstacle(self, connection: Connection) -> str:
        """Why no model in it can be changed, or no schema made, as a clause; empty: they can."""

    @abstractmethod
    def claim(self, name: str) -> AbstractContextManager[Connect]:
        """The right to change ``name``, and how to connect to do so. Raises Busy.

        Where the claim ends early, because the server was lost, no such connection works any more.
        """

    @contextmanager
    def writing(self, connection: Connection) -> Iterator[None]:
        """A transaction that changes something."""
        with transaction(connection, self.begin_write):
            yield

    @abstractmethod
    def tell(self, connection: Connection, revision: int) -> None:
        """Called in the transaction that makes ``revision``: wakes those who wait for it."""

    def wait(self, seen: str, timeout_s: float) -> str | None:
        """The revision once it is not ``seen``, or after a while; None: one has to poll."""
        return None

    def unusable(self, why: str) -> ConfigError:
        """The error of a database that no server can do anything with."""
        return ConfigError(f"the database {self.shown} cannot be used: {why} - at `$.storage.url`")

    def unchangeable(self, obstacle: str) -> StorageUnavailable:
        """The error of who wants to change a model in spite of what ``obstacle`` said."""
        why = f"since {obstacle}; {self.remedy}"
        return StorageUnavailable(*self.sentences("no model can be changed in", f", {why}"))

    def sentences(self, before: str, behind: str) -> tuple[str, str]:
        """What is said of the database, to who runs the server and to clients.

        Clients are not to know where it is.
        """
        return f"{before} the database {self.shown}{behind}", f"{before} the storage{behind}"

    def close(self) -> None:
        """Closes all connections."""
        self.engine.dispose()


@contextmanager
def transaction(connection: Connection, begin: str) -> Iterator[None]:
    """All or nothing of what the block does on a connection."""
    connection.exec_driver_sql(begin)
    try:
        yield
        connection.exec_driver_sql("COMMIT")
    except BaseException:
        with suppress(DBAPIError, PendingRollbackError):
            connection.exec_driver_sql("ROLLBACK")
        raise


def inserted_id(result: CursorResult[Any]) -> int:
    """The key that the database gave to the one inserted row."""
    key = result.inserted_primary_key
    assert key is not None
    return int(key[0])


_FULL = {"53100"}  # PostgreSQL's disk_full
_READ_ONLY = {"25006"}  # read_only_sql_transaction
_SQLITE_READ_ONLY = 8
_SQLITE_FULL = 13
_SQLITE_BROKEN = {
    11: "its file is damaged; bring back a backup, or name another file",
    26: "it is not a SQLite database; name another file",
}


@contextmanager
def database_errors(doing: str, database: Database) -> Iterator[None]:
    """Makes an error of the ``database`` Busy, StorageFull or StorageUnavailable.

    ``doing`` starts the message: ``storing model 'vk'``.
    """
    try:
        yield
    except IntegrityError as error:
        message = f"{doing} failed: somebody else changed the same at the same time; try again"
        raise Busy(message) from error
    except DBAPIError as error:
        raise _meant(error, doing, database) from error
    except PendingRollbackError as error:
        lost = database.sentences(f"{doing} failed: the connection to", " was lost")
        raise StorageUnavailable(*lost) from error


def _meant(error: DBAPIError, doing: str, database: Database) -> TfaasError:
    sqlstate = getattr(error.orig, "sqlstate", None)
    code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
    if sqlstate in _FULL or code == _SQLITE_FULL:
        full = database.sentences(f"{doing} failed: the disk of", " is full; make room there")
        return StorageFull(*full)
    if sqlstate in _READ_ONLY or code == _SQLITE_READ_ONLY:
        return database.unchangeable(READ_ONLY)
    message = f"{doing} failed: the database {database.shown}: {reason(error)}"
    what = f"{doing} failed: the storage cannot be used at the moment; the server's log says why"
    return StorageUnavailable(message, what)


def broken(error: BaseException | None) -> str:
    """What is wrong with the file that the database should be; empty: nothing is."""
    code = getattr(getattr(error, "orig", None), "sqlite_errorcode", 0)
    return _SQLITE_BROKEN.get(code & 0xFF, "")


def reason(error: DBAPIError) -> str:
    """The first line of what the database itself says, without SQL."""
    lines = str(error.orig).strip().splitlines() or [type(error.orig).__name__]
    return re.sub("^connection (failed|is bad): ", "", lines[0].strip())
