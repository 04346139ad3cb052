"""Changes of what is stored: each becomes visible by one small transaction.

Files that do not fit into it are written before, as those of a pending version; files are removed
after it. So whatever a killed process leaves is pending, and is removed by the next change of that
name, or a sweep.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from tfaas_backends.storages.sql.database import Database, database_errors, inserted_id
from tfaas_backends.storages.sql.files import Batches, remove_pending, write_files
from tfaas_backends.storages.sql.tables import models, state, versions
from tfaas_core.errors import Busy, DamagedFile, DoesNotFit, TfaasError
from tfaas_core.models.model import ModelVersion
from tfaas_core.models.record_text import record_text, record_value
from tfaas_core.models.versions import Pointers

_log = logging.getLogger("tfaas.storage")


@contextmanager
def change(database: Database, connection: Connection) -> Iterator[int]:
    """A transaction that makes a new revision, which it gives and tells of."""
    with database.writing(connection), _new_revision(database, connection) as revision:
        yield revision


@contextmanager
def _new_revision(database: Database, connection: Connection) -> Iterator[int]:
    # The lock on this row is kept to the end: revisions become visible in their order.
    connection.execute(update(state).values(revision=state.c.revision + 1))
    revision = int(connection.scalar(select(state.c.revision)) or 0)
    yield revision
    database.tell(connection, revision)


class Changes:
    """Changes one claimed name, on a connection that the claim gave."""

    def __init__(self, database: Database, connection: Connection, name: str) -> None:
        self._database = database
        self._connection = connection
        self._name = name

    def commit(self, staging: Path, version: ModelVersion, live: bool) -> ModelVersion:
        """Stores the artifact in ``staging``, which stays as it is, as a version."""
        remove_pending(self._connection, self._name)
        numbers = self._numbers()
        number = self._next(numbers, version.version)
        stored = msgspec.structs.replace(version, name=self._name, version=number)
        pointers = self._pointers(numbers)
        if live or not numbers:
            pointers = pointers.with_live(number)
        try:
            self._store(staging, stored, pointers)
        except BaseException:
            self.clean_up()
            raise
        return stored

    def _next(self, numbers: Collection[int], wanted: int) -> int:
        there = max(numbers, default=0)
        if 0 < wanted <= there:
            raise DoesNotFit(
                f"version {wanted} of model {self._name!r} cannot be stored: it has version"
                f" {there} already",
                field="version",
            )
        return wanted or max(there, self._highest()) + 1

    def _highest(self) -> int:
        """The highest number that the name ever had."""
        mine = select(models.c.highest).where(models.c.name == self._name)
        return int(self._connection.scalar(mine) or 0)

    def _store(self, staging: Path, stored: ModelVersion, pointers: Pointers) -> None:
        told = {"number": stored.version, "record": _encoded(stored)}
        database, connection = self._database, self._connection
        # All of a small artifact goes into one transaction, with the change that it makes.
        with Batches(partial(database.writing, connection)) as batches:
            version_id = inserted_id(connection.execute(insert(versions), {"name": self._name}))
            if write_files(connection, version_id, staging, batches) != stored.checksum:
                raise DamagedFile(
                    f"the files of model {self._name!r} changed on the server's disk while they "
                    "were stored; upload them again"
                )
            with _new_revision(database, connection) as revision:
                mine = versions.c.id == version_id
                if connection.execute(update(versions).where(mine).values(told)).rowcount != 1:
                    raise Busy(
                        f"storing model {self._name!r} failed: somebody else changed it meanwhile;"
                        " upload it again"
                    )
                self._put(pointers, revision, max(stored.version, self._highest()))

    def point(self, pointers: Pointers) -> None:
        """Sets all pointers."""
        with change(self._database, self._connection) as revision:
            self._put(pointers, revision, self._highest())

    def prune(self, keep: int) -> bool:
        """Removes all but the newest ``keep``, the live and the labelled; whether there were."""
        numbers = self._numbers()
        kept = {*numbers[-max(keep, 1) :], *self._pointers(numbers).kept}
        gone = set(numbers) - kept
        if gone:
            self._remove(gone, numbers)
        return bool(gone)

    def delete_version(self, number: int) -> bool:
        """Removes one version; False if there was none."""
        numbers = self._numbers()
        if number not in numbers:
            return False
        self._remove({number}, numbers)
        return True

    def delete(self) -> bool:
        """Removes all versions; False if there were none."""
        numbers = self._numbers()
        if numbers:
            self._remove(set(numbers), numbers)
        return bool(numbers)

    def _remove(self, gone: set[int], numbers: list[int]) -> None:
        pending = {"number": None, "record": None}
        stored = self._mine & versions.c.number.in_(gone)
        pointers = self._pointers(numbers)
        left = [number for number in numbers if number not in gone]
        with change(self._database, self._connection) as revision:
            self._connection.execute(update(versions).where(stored).values(pending))
            if left:
                self._put(pointers.among(left), revision, self._highest())
            else:
                self._connection.execute(delete(models).where(models.c.name == self._name))
        self.clean_up()

    def clean_up(self) -> None:
        """Removes what is pending; what cannot be removed now is left, and logged."""
        try:
            with database_errors(f"removing files of model {self._name!r}", self._database):
                remove_pending(self._connection, self._name)
        except TfaasError as error:
            _log.warning("%s; a later change or start removes them", error.message)

    @property
    def _mine(self) -> ColumnElement[bool]:
        return versions.c.name == self._name

    def _numbers(self) -> list[int]:
        stored = self._mine & versions.c.number.is_not(None)
        rows = select(versions.c.number).where(stored).order_by(versions.c.number)
        return [int(number) for number in self._connection.scalars(rows)]

    def _pointers(self, numbers: Collection[int]) -> Pointers:
        mine = select(models.c.pointers).where(models.c.name == self._name)
        text: Any = self._connection.scalar(mine)
        try:
            pointers = record_value(text or "{}", Pointers)
        except msgspec.DecodeError:  # as reading it has logged
            pointers = Pointers()
        return pointers.among(numbers)

    def _put(self, pointers: Pointers, revision: int, highest: int) -> None:
        text = record_text(pointers).decode()
        values = {"pointers": text, "revision": revision, "highest": highest}
        mine = models.c.name == self._name
        if self._connection.execute(update(models).where(mine).values(values)).rowcount == 0:
            self._connection.execute(insert(models), {"name": self._name, **values})


def _encoded(record: ModelVersion) -> str:
    try:
        return record_text(record).decode()
    except RecursionError:
        raise DoesNotFit("params is nested too deeply to be stored", field="params") from None
