"""The storage that is a folder on a disk.

::

    root/NAME/3/model           the files as uploaded
    root/NAME/3/version.json    the record; with it, the folder is a version
    root/NAME/pointers.json     the pointers, as somebody set them; later versions are live at once
    root/.staging/RANDOM/       an upload that is not committed yet
    root/.trash/RANDOM/         removed, and being deleted
    root/.default.json          which model was chosen as the default one
    root/.revision              touched with each change

Each change of what is listed is one rename. A name is claimed by a lock on ``root/NAME``. What is
not of this form was not made here, and is never removed.
"""

from __future__ import annotations

import builtins
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from tfaas_backends.storages.filesystem.models import POINTERS, RECORD, Decided, FilesystemModels
from tfaas_backends.storages.filesystem.old_models import old_models, told_of
from tfaas_backends.storages.filesystem.root import (
    Revision,
    check_writable,
    is_writable,
    lacks,
    read_only,
    unusable,
)
from tfaas_backends.storages.filesystem.trash import Trash
from tfaas_core.errors import Busy, DamagedFile, DoesNotFit
from tfaas_core.files.regular_file import UnfitFileError, read_regular
from tfaas_core.local_disk.disk import (
    check_can_be_made,
    lock,
    sync,
    sync_tree,
    unlock,
)
from tfaas_core.local_disk.staging import StagingArea
from tfaas_core.models.checksum import is_whole
from tfaas_core.models.model import ModelVersion, check_name, is_name
from tfaas_core.models.record_text import record_text, record_value
from tfaas_core.models.versions import Model, Pointers
from tfaas_core.storage import (
    MODEL,
    Claim,
    DefaultChoice,
    Storage,
    disk_error,
    removed,
)

STAGING = ".staging"
TRASH = ".trash"
DEFAULT = ".default.json"
REVISION = ".revision"

_DEFAULT_BYTES = 1 << 16

_LOOKS = 3
"""How often a file is looked at that seems to be damaged: it may have been replaced meanwhile."""

_log = logging.getLogger("tfaas.storage")


class FilesystemStorage(Storage):
    """Keeps models in the folder ``root``, which several servers may share."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        self._models = FilesystemModels(self._root)
        self._staging = StagingArea(self._root / STAGING)
        self._trash = Trash(self._root / TRASH)
        self._revision = Revision(self._root, REVISION)

    def written(self) -> builtins.list[Path]:
        return [self._root]

    def open(self) -> None:
        try:
            self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.listdir(self._root)
        except (OSError, ValueError) as error:
            raise unusable(self._root, error) from error
        self._get_ready()

    def reopen(self) -> None:
        with self._told("opening the models' folder"):
            os.listdir(self._root)
        self._get_ready()

    def _get_ready(self) -> None:
        if not is_writable(self._root):
            _log.warning("%s", read_only(self._root))
            return
        with suppress(OSError):  # reported by the first upload, which tries again
            self._trash.make()

    def examine(self) -> list[str]:
        try:
            check_can_be_made(self._root)
            if not self._root.exists():
                return []
            os.listdir(self._root)
        except (OSError, ValueError) as error:
            raise unusable(self._root, error) from error
        old = old_models(self._root)
        warnings = [told_of(self._root, old)] if old else []
        if not is_writable(self._root):
            warnings.append(f"{read_only(self._root)} - at `$.storage.root`")
        return warnings

    def sweep(self) -> None:
        old = old_models(self._root)
        if old:
            _log.warning("%s", told_of(self._root, old))
        if not is_writable(self._root):
            return
        with self._told("cleaning up the model storage"):
            self._staging.sweep()
            self._trash.sweep()
            for name in () if old else self._models.names():
                folder = self._root / name
                with suppress(Busy, FileNotFoundError):  # another server is at it
                    if not any(folder.iterdir()):
                        unlock(lock(folder), folder)

    def close(self) -> None:
        self._staging.close()

    @contextmanager
    def claim(self, name: str) -> Iterator[Claim]:
        folder = self._root / check_name(name)
        with self._told(f"claiming model {name!r}", changes=True):
            held = lock(folder)
        try:
            yield Claim(name)
        finally:
            unlock(held, folder)

    def stage(self) -> Path:
        with self._told("starting an upload", changes=True):
            return self._staging.stage()

    def discard(self, staging: Path) -> None:
        self._staging.discard(staging)

    def commit(
        self, claim: Claim, staging: Path, version: ModelVersion, live: bool = True
    ) -> ModelVersion:
        folder = self._root / claim.name
        with self._told(f"storing model {claim.name!r}", changes=True):
            number, decided = self._models.place(claim.name, version.version, live)
            stored = msgspec.structs.replace(version, name=claim.name, version=number)
            (staging / RECORD).write_bytes(_encoded(stored))
            sync_tree(staging)
            if decided is not None:
                self._write_pointers(claim.name, decided)
            os.rename(staging, folder / str(number))
            self._staging.release(staging)
            try:
                sync(folder, self._root)
            except OSError:
                self._trash.take(folder / str(number))
                raise
            self._revision.touch()
        return stored

    def point(self, claim: Claim, pointers: Pointers) -> None:
        with self._told(f"setting what is live of model {claim.name!r}", changes=True):
            decided = self._models.decided(claim.name)
            highest = max([*self._models.numbers(claim.name), decided.highest])
            self._write_pointers(claim.name, Decided(highest, pointers))
            self._revision.touch()

    def prune(self, claim: Claim, keep: int) -> bool:
        folder = self._root / claim.name
        with self._told(f"removing old versions of model {claim.name!r}"):
            old = self._models.beyond(claim.name, keep)
            for number in old:
                self._trash.take(folder / str(number))
            if old:
                self._revision.touch()
        return bool(old)

    def delete_version(self, claim: Claim, number: int) -> bool:
        folder = self._root / claim.name
        with self._told(f"deleting version {number} of model {claim.name!r}", changes=True):
            if number not in self._models.stored(claim.name):
                return False
            self._trash.take(folder / str(number))
            self._revision.touch()
        return True

    def delete(self, claim: Claim) -> bool:
        folder = self._root / claim.name
        with self._told(f"deleting model {claim.name!r}"):
            stored = self._models.stored(claim.name)
            if not stored:
                return False
            if self._models.is_all_ours(claim.name):
                self._trash.take(folder)
            else:
                for number in stored:
                    self._trash.take(folder / str(number))
                with suppress(FileNotFoundError):
                    self._trash.take(folder / POINTERS)
            self._revision.touch()
        return True

    def model(self, name: str) -> Model | None:
        if not is_name(name):
            return None
        with self._told(f"looking up model {name!r}"):
            return self._models.model(name)

    def list(self) -> list[Model]:
        with self._told("listing the models"):
            return self._models.all()

    def default(self) -> DefaultChoice | None:
        file = self._root / DEFAULT
        with self._told("reading which model is the default"):
            try:
                content = read_regular(file, _DEFAULT_BYTES)
                return record_value(content, DefaultChoice)
            except FileNotFoundError:
                # There is none, unless it came just now; then it will be told of.
                lacks(self._root, DEFAULT)
                return None
            except (msgspec.DecodeError, UnfitFileError) as error:
                self._models.warn_once(DEFAULT, f"{file} cannot be read: {error}")
                return None

    def choose_default(self, choice: DefaultChoice) -> None:
        with self._told("storing which model is the default", changes=True):
            self._staging.write_whole(self._root / DEFAULT, record_text(choice))
            self._revision.touch()

    def artifact(self, version: ModelVersion) -> Path:
        path = self._root / version.name / str(version.version) / MODEL
        with self._told(f"reading {version.reference}"):
            os.stat(self._root)
            for _ in range(_LOOKS):
                if path.exists() and is_whole(path, version.checksum):
                    return path
                # Another server may have removed it, and stored another one under its number.
                if not self._models.holds(version):
                    raise removed(version)
        raise DamagedFile(
            f"the files of version {version.reference} are not what was stored; upload it again",
            model=version.name,
        )

    def broken_records(self) -> builtins.list[str]:
        found: builtins.list[str] = []
        with self._told("reading the records of all models"):
            FilesystemModels(self._root, found.append).all()
        return found

    def revision(self) -> str:
        with self._told("looking for changes of the models"):
            return self._revision.read()

    @contextmanager
    def _told(self, doing: str, changes: bool = False) -> Iterator[None]:
        try:
            if changes:
                check_writable(self._root)
            yield
        except OSError as error:
            raise disk_error(doing, self._root, error) from error

    def _write_pointers(self, name: str, decided: Decided) -> None:
        self._staging.write_whole(self._root / name / POINTERS, record_text(decided))


def _encoded(record: ModelVersion) -> bytes:
    try:
        return record_text(record)
    except RecursionError:
        raise DoesNotFit("params is nested too deeply to be stored", field="params") from None
