"""The storage in a database, with a cache on the local disk.

The database has the records, the pointers and the artifacts. Whatever is loaded is loaded from the
cache, which works without the database.
"""

from __future__ import annotations

import builtins
import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import msgspec
from sqlalchemy import Connection, select, update

from tfaas_backends.storages.sql.changes import Changes, change
from tfaas_backends.storages.sql.database import Connect, Database, database_errors
from tfaas_backends.storages.sql.fetch import fetch, id_of
from tfaas_backends.storages.sql.records import Records
from tfaas_backends.storages.sql.schema import SqlMigrations, reaching
from tfaas_backends.storages.sql.tables import state, versions
from tfaas_core.errors import Busy, ConfigError, StorageUnavailable, TfaasError
from tfaas_core.local_disk.artifact_cache import ArtifactCache, clear_but_model
from tfaas_core.models.model import ModelVersion, check_name, is_name
from tfaas_core.models.record_text import record_text, record_value
from tfaas_core.models.versions import Model, Pointers
from tfaas_core.storage import Claim, DefaultChoice, Migrations, Storage, disk_errors

_log = logging.getLogger("tfaas.storage")


class SqlClaim(Claim, frozen=True):
    """A claim, how to connect under it, and how to give it up early."""

    connect: Connect
    end: Callable[[], None]


class SqlStorage(Storage):
    """Keeps models in a database, which processes of several hosts may share."""

    def __init__(self, database: Database, cache: ArtifactCache) -> None:
        self._database = database
        self._cache = cache
        self._records = Records(database)
        self._schema = SqlMigrations(database)
        self._is_open = False
        self._opening = threading.Lock()

    def written(self) -> builtins.list[Path]:
        return [self._cache.folder, *self._database.written()]

    def open(self) -> None:
        with self._usable_cache():
            self._cache.open()
        self._open_database()

    def examine(self) -> list[str]:
        with self._usable_cache():
            self._cache.examine()
        obstacle = self._database.examine()
        return [f"{self._unchangeable(obstacle)} - at `$.storage.url`"] if obstacle else []

    @contextmanager
    def _usable_cache(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            what = f"the cache folder {str(self._cache.folder)!r} cannot be used"
            raise ConfigError(f"{what}: {why} - at `$.storage.cache`") from error

    def _open_database(self) -> None:
        with self._opening:
            if self._is_open:
                return
            self._schema.upgrade()
            with reaching(self._database), self._database.engine.connect() as connection:
                if obstacle := self._database.obstacle(connection):
                    _log.warning("%s", self._unchangeable(obstacle))
            self._is_open = True

    def _unchangeable(self, obstacle: str) -> str:
        return f"{self._database.shown}: its models are served, none can be changed: {obstacle}"

    @contextmanager
    def _reaching(self, doing: str) -> Iterator[None]:
        """Translates errors, and opens the database if it was away when ``open`` was called."""
        if not self._is_open:
            self._open_late()
        with database_errors(doing, self._database):
            yield

    def _open_late(self) -> None:
        try:
            self._open_database()
        except ConfigError as error:
            what = "the storage cannot be used; the server's log says why"
            raise StorageUnavailable(error.message, what) from error

    @contextmanager
    def _connected(self, doing: str) -> Iterator[Connection]:
        with self._reaching(doing), self._database.engine.connect() as connection:
            yield connection

    def sweep(self) -> None:
        with disk_errors("cleaning up the cache", self._cache.folder):
            self._cache.sweep()
        pending = select(versions.c.name).where(versions.c.number.is_(None)).distinct()
        with self._connected("cleaning up the database") as connection:
            if self._database.obstacle(connection):
                return
            names = connection.scalars(pending).all()
        for name in names:
            doing = f"cleaning up model {name!r}"
            with suppress(Busy), self.claim(name) as claim, self._changing(claim, doing) as changes:
                changes.clean_up()

    def close(self) -> None:
        self._database.close()
        self._cache.staging.close()

    @contextmanager
    def claim(self, name: str) -> Iterator[SqlClaim]:
        check_name(name)
        with ExitStack() as stack:
            with self._reaching(f"claiming model {name!r}"):
                self._check_writable()
                connect = stack.enter_context(self._database.claim(name))
            yield SqlClaim(name, connect, stack.close)

    def _check_writable(self) -> None:
        with self._database.engine.connect() as connection:
            self._check_changeable(connection)

    def _check_changeable(self, connection: Connection) -> None:
        if obstacle := self._database.obstacle(connection):
            raise self._database.unchangeable(obstacle)

    @contextmanager
    def _changing(self, claim: Claim, doing: str) -> Iterator[Changes]:
        with (
            disk_errors(doing, self._cache.folder),
            self._reaching(doing),
            _own(claim).connect() as connection,
        ):
            yield Changes(self._database, connection, claim.name)

    @contextmanager
    def _removing(self, claim: Claim, doing: str) -> Iterator[Changes]:
        """The same, for changes that remove versions: what only these had leaves the cache first.

        Else uploads that remove each other's versions would fill the disk, however small the cache
        is to be: what was used just now stays there.
        """
        before = self._checksums([claim.name])
        with self._changing(claim, doing) as changes:
            yield changes
        try:
            gone = before - self._checksums(None)
            self._cache.forget(gone)
        except (OSError, TfaasError) as error:
            _log.warning("what was removed stays in the cache for a while: %s", error)

    def _checksums(self, names: Iterable[str] | None) -> set[str]:
        """Of all versions of these models; None: of all."""
        models = self.list() if names is None else filter(None, map(self.model, names))
        return {version.checksum for model in models for version in model.versions}

    def stage(self) -> Path:
        with self._reaching("starting an upload"):
            self._check_writable()
        with disk_errors("starting an upload", self._cache.folder):
            return self._cache.stage()

    def discard(self, staging: Path) -> None:
        self._cache.staging.discard(staging)

    def commit(
        self, claim: Claim, staging: Path, version: ModelVersion, live: bool = True
    ) -> ModelVersion:
        with self._changing(claim, f"storing model {claim.name!r}") as changes:
            stored = changes.commit(staging, version, live)
        try:
            clear_but_model(staging)
            self._cache.add(staging, stored.checksum)
        except OSError as error:
            _log.warning("%s could not be cached: %s", stored.reference, error)
            self.discard(staging)
        return stored

    def point(self, claim: Claim, pointers: Pointers) -> None:
        with self._changing(claim, f"changing model {claim.name!r}") as changes:
            changes.point(pointers)

    def prune(self, claim: Claim, keep: int) -> bool:
        doing = f"removing old versions of model {claim.name!r}"
        with self._removing(claim, doing) as changes:
            return changes.prune(keep)

    def delete_version(self, claim: Claim, number: int) -> bool:
        doing = f"removing version {number} of model {claim.name!r}"
        with self._removing(claim, doing) as changes:
            return changes.delete_version(number)

    def delete(self, claim: Claim) -> bool:
        with self._removing(claim, f"deleting model {claim.name!r}") as changes:
            deleted = changes.delete()
        _own(claim).end()
        return deleted

    def model(self, name: str) -> Model | None:
        if not is_name(name):
            return None
        with self._reaching(f"looking up model {name!r}"):
            return self._records.model(name)

    def list(self) -> list[Model]:
        with self._reaching("listing the models"):
            return self._records.list()

    def default(self) -> DefaultChoice | None:
        with self._connected("reading which model is the default") as connection:
            text = connection.scalar(select(state.c.default_choice))
        try:
            return record_value(text, DefaultChoice) if text else None
        except msgspec.DecodeError as error:
            _log.warning("the default model in the database cannot be read: %s", error)
            return None

    def choose_default(self, choice: DefaultChoice) -> None:
        text = record_text(choice).decode()
        with self._connected("storing which model is the default") as connection:
            self._check_changeable(connection)
            with change(self._database, connection):
                connection.execute(update(state).values(default_choice=text))

    def artifact(self, version: ModelVersion) -> Path:
        doing = f"fetching version {version.reference}"
        with disk_errors(doing, self._cache.folder):
            if (cached := self._cache.find(version.checksum)) is not None:
                with suppress(StorageUnavailable), self._connected(doing) as connection:
                    id_of(connection, version)
                return cached

            return self._cache.fetch(version.checksum, self._filling(version, doing))

    def verify(self, version: ModelVersion) -> None:
        doing = f"reading version {version.reference}"
        with disk_errors(doing, self._cache.folder):
            # What the cache has is checked whenever it is used.
            self._cache.check(self._filling(version, doing))

    def _filling(self, version: ModelVersion, doing: str) -> Callable[[Path], None]:
        def fill(folder: Path) -> None:
            with self._connected(doing) as connection:
                fetch(connection, version, folder)

        return fill

    def broken_records(self) -> builtins.list[str]:
        found: builtins.list[str] = []
        with self._reaching("reading the records of all models"):
            Records(self._database, found.append).list()
        return found

    def revision(self) -> str:
        with self._connected("asking for changes") as connection:
            return str(connection.scalar(select(state.c.revision)))

    def wait_for_change(self, seen: str, timeout_s: float) -> str:
        with self._reaching("waiting for changes"):
            revision = self._database.wait(seen, timeout_s)
        return super().wait_for_change(seen, timeout_s) if revision is None else revision

    def migrations(self) -> Migrations:
        return self._schema


def _own(claim: Claim) -> SqlClaim:
    assert isinstance(claim, SqlClaim), "a claim of another storage"
    return claim
