"""The database that is a file."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, NullPool, create_engine

from tfaas_backends.storages.sql.database import READ_ONLY, Connect, Database
from tfaas_core.errors import ConfigError, StorageUnavailable
from tfaas_core.local_disk.disk import check_can_be_made, lock, unlock
from tfaas_core.storage import disk_errors

_BUSY_S = 30
_TURN_POLL_S = 0.001
_CACHE_KIB = 8192
"""More than a transaction writes: one that does not fit shuts readers out until it ends."""


class Sqlite(Database):
    """SQLite, with its rollback journal: that can be read on a read-only disk, a log cannot.

    Each use opens the file anew, so that no connection is there when a process forks. A name is
    claimed by a lock on a folder next to the file.
    """

    begin_write = "BEGIN IMMEDIATE"
    begin_read = "BEGIN"
    remedy = "let the server's account write to the file, and to its folder"

    def __init__(self, file: Path, shown: str) -> None:
        # However a server's configuration spells the path, its claims are those of the others.
        self._file = file = file.resolve()
        self._claims = file.with_name(f"{file.name}-claims")
        engine = create_engine(
            "sqlite://",
            creator=self._connect,
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
            hide_parameters=True,
        )
        super().__init__(engine, shown)

    def _connect(self) -> sqlite3.Connection:
        # mode=rw: if the file was taken away, no empty one takes its place.
        uri = f"file:{quote(str(self._file))}?mode=rw"
        connection = sqlite3.connect(uri, uri=True, timeout=_BUSY_S, check_same_thread=False)
        # A text that lost a byte breaks its own record, and not the list of all of them.
        connection.text_factory = _text
        connection.execute("PRAGMA synchronous = EXTRA")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA secure_delete = OFF")  # it makes removal need room
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        return connection

    def exists(self) -> bool:
        with self._usable():
            if self._file.is_dir():
                raise self.unusable("it is a folder; name a file")
            there = self._file.exists()
        # Opened by anybody but SQLite, its closing would take away all locks of this process.
        if there and not os.access(self._file, os.R_OK):
            raise self.unusable("this account may not read it")
        return there

    def examine(self) -> str:
        if self.exists():
            return self._obstacle()
        with self._usable():
            if lost := self._lost():
                raise ConfigError(lost[0])
            check_can_be_made(self._file)
        return ""

    def prepare(self) -> None:
        with self._usable():
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if lost := self._lost():
                raise StorageUnavailable(*lost)
            if not self._file.exists():
                self._make()

    @contextmanager
    def _usable(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:
            raise self.unusable(getattr(error, "strerror", None) or str(error)) from error

    def _make(self) -> None:
        os.close(os.open(self._file, os.O_CREAT | os.O_RDWR, 0o600))
        self._claims.mkdir(mode=0o700, exist_ok=True)

    def _lost(self) -> tuple[str, ...]:
        """What to do if the file was taken away, as of ``sentences``; none: it is there, or still
        to be made."""
        # In this order: another process may be making both, the file before its claims.
        if not self._claims.exists() or self._file.exists():
            return ()
        # An empty one in its place would mean that all models are gone.
        return (
            f"the database {self.shown} is missing; bring it back, or remove the folder "
            f"{self._claims.name} beside it to begin with an empty one - at `$.storage.url`",
            "the storage is missing; its operator has to bring it back",
        )

    def written(self) -> tuple[Path]:
        # With its journal, and the claims, which stand beside it.
        return (self._file.parent,)

    def lock_schema(self, connection: Connection) -> None:
        """The transaction itself excludes all others."""

    def obstacle(self, connection: Connection) -> str:
        return self._obstacle()

    def _obstacle(self) -> str:
        folder = os.access(self._file.parent, os.W_OK | os.X_OK)
        return "" if folder and os.access(self._file, os.W_OK) else READ_ONLY

    @contextmanager
    def claim(self, name: str) -> Iterator[Connect]:
        folder = self._claims / name
        with disk_errors(f"claiming model {name!r}", self._claims):
            self._claims.mkdir(mode=0o700, exist_ok=True)
            held = lock(folder)
        try:
            yield self.engine.connect
        finally:
            unlock(held, folder)

    @contextmanager
    def writing(self, connection: Connection) -> Iterator[None]:
        # SQLite lets writers wait by looking again and again, so that one who goes on and on may
        # keep the others out for seconds. Here, who waits for the turn keeps the next from whoever
        # has just ended.
        with self._in_turn(), super().writing(connection):
            yield

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        with ExitStack() as turn:
            with suppress(OSError):  # SQLite itself says why nothing can be written
                self._claims.mkdir(mode=0o700, exist_ok=True)
                with _waited_for(self._claims / ".next", self):
                    turn.enter_context(_waited_for(self._claims / ".turn", self))
            yield

    def tell(self, connection: Connection, revision: int) -> None:
        """Nobody can be told: those who wait ask again and again."""


@contextmanager
def _waited_for(file: Path, database: Database) -> Iterator[None]:
    """Alone with the lock on a file, which the end of a process gives up, too."""
    end_s = time.monotonic() + _BUSY_S
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        while not _try_lock(descriptor):
            if time.monotonic() > end_s:
                who, ends = "another process has been writing to", f" for {_BUSY_S} s; try again"
                raise StorageUnavailable(*database.sentences(who, ends))
            time.sleep(_TURN_POLL_S)
        yield
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _text(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")
