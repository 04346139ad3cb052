"""Reading models and their versions, each only once until it changes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Connection, Row, Select, bindparam, select

from tfaas_backends.storages.sql.database import Database, transaction
from tfaas_backends.storages.sql.tables import models, state, versions
from tfaas_core.models.model import ModelVersion
from tfaas_core.models.record_text import record_value
from tfaas_core.models.versions import Model, Pointers

_FEW = 500
"""Changed models that are asked for by name, and not all at once."""

_log = logging.getLogger("tfaas.storage")


_T = TypeVar("_T")


class _Known(msgspec.Struct, frozen=True):
    """A model, as it was at the revision of its last change; None: its records are broken."""

    revision: int
    model: Model | None


class _Listed(msgspec.Struct, frozen=True):
    """All models, as they were at one revision."""

    revision: int
    models: tuple[Model, ...]


_ROWS: Select[Any] = (
    select(*models.c["name", "revision", "pointers"], versions.c.record)
    .join(versions, (versions.c.name == models.c.name) & versions.c.number.is_not(None))
    .order_by(models.c.name)
)
_OF_ONE = _ROWS.where(models.c.name == bindparam("name"))
_OF_FEW = _ROWS.where(models.c.name.in_(bindparam("names", expanding=True)))
_REVISION = select(state.c.revision)
_REVISION_OF = select(models.c.revision).where(models.c.name == bindparam("name"))
_REVISIONS = select(models.c.name, models.c.revision)


class Records:
    """What is known of the models in a database. Methods may be called from any thread.

    ``warn`` gets a sentence about each record that cannot be read, once.
    """

    def __init__(self, database: Database, warn: Callable[[str], None] = _log.warning) -> None:
        self._database = database
        self._warn = warn
        self._known: dict[str, _Known] = {}
        self._listed = _Listed(0, ())
        self._warned: set[str] = set()

    def model(self, name: str) -> Model | None:
        """The model of this name. One small query if it has not changed."""
        with self._database.engine.connect() as connection:
            revision = connection.scalar(_REVISION_OF, {"name": name})
            if revision is None:
                return None
            known = self._known.get(name)
            if known is None or known.revision != revision:
                found = self._read(connection.execute(_OF_ONE, {"name": name}))
                known = self._known[name] = found.get(name, _Known(revision, None))
        return known.model

    def list(self) -> list[Model]:
        """All models, sorted by name. One small query if none has changed."""
        with self._database.engine.connect() as connection:
            if connection.scalar(_REVISION) != self._listed.revision:
                with transaction(connection, self._database.begin_read):
                    self._listed = self._look(connection)
        return list(self._listed.models)

    def _look(self, connection: Connection) -> _Listed:
        revision = connection.scalar(_REVISION)
        there = {row.name: row.revision for row in connection.execute(_REVISIONS)}
        known = {n: k for n, k in self._known.items() if there.get(n) == k.revision}
        if changed := [name for name in there if name not in known]:
            few = len(changed) <= _FEW
            rows = connection.execute(_OF_FEW if few else _ROWS, {"names": changed} if few else {})
            known.update(self._read(rows))
        self._known = known
        found = (known[name].model for name in sorted(known))
        return _Listed(revision or 0, tuple(model for model in found if model is not None))

    def _read(self, rows: Iterable[Row[Any]]) -> dict[str, _Known]:
        """Models of rows of ``_ROWS``, which are sorted by name."""
        found = {}
        for name, group in groupby(rows, key=lambda row: row.name):
            of_one = list(group)
            found[name] = _Known(of_one[0].revision, self._model(name, of_one))
        return found

    def _model(self, name: str, rows: Sequence[Row[Any]]) -> Model | None:
        pointers = self._decoded(name, rows[0].pointers, Pointers) or Pointers()
        records = (self._decoded(name, row.record, ModelVersion) for row in rows)
        there = [record for record in records if record is not None and record.name == name]
        return Model.of(there, pointers) if there else None

    def _decoded(self, name: str, text: str, kind: type[_T]) -> _T | None:
        try:
            return record_value(text, kind)
        except msgspec.DecodeError as error:
            message = f"a record of model {name!r} in the database is broken: {error}"
            if message not in self._warned:
                self._warned.add(message)
                self._warn(message)
            return None
