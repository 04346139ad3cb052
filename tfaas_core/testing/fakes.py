"""One fake per interface: quick, small, and true to the contract."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from tfaas_core.errors import Busy, DamagedFile, DoesNotFit
from tfaas_core.models.checksum import is_whole
from tfaas_core.models.model import ModelVersion, check_name
from tfaas_core.models.versions import Model, Pointers
from tfaas_core.storage import MODEL, Claim, DefaultChoice, Storage, disk_errors, removed


class FakeStorage(Storage):
    """A Storage for one process: records and claims in memory, files under ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._models: dict[str, Model] = {}
        self._highest: dict[str, int] = {}
        self._changes = 0
        self._claimed: set[str] = set()
        self._default: DefaultChoice | None = None
        self._mutex = threading.Lock()

    def written(self) -> Sequence[Path]:
        return [self._folder]

    def open(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)

    def sweep(self) -> None:
        with disk_errors("cleaning up", self._folder):
            for staging in self._folder.glob(".staging-*"):
                self.discard(staging)

    def close(self) -> None:
        pass

    @contextmanager
    def claim(self, name: str) -> Iterator[Claim]:
        check_name(name)
        with self._mutex:
            if name in self._claimed:
                raise Busy(f"model {name!r} is being uploaded or deleted by another request")
            self._claimed.add(name)
        try:
            yield Claim(name)
        finally:
            self._claimed.discard(name)

    def stage(self) -> Path:
        with disk_errors("starting an upload", self._folder):
            return Path(tempfile.mkdtemp(prefix=".staging-", dir=self._folder))

    def discard(self, staging: Path) -> None:
        shutil.rmtree(staging, ignore_errors=True)

    def commit(
        self, claim: Claim, staging: Path, version: ModelVersion, live: bool = True
    ) -> ModelVersion:
        model = self._models.get(claim.name)
        highest = 0 if model is None else model.newest.version
        number = version.version or max(highest, self._highest.get(claim.name, 0)) + 1
        if number <= highest:
            raise DoesNotFit(f"model {claim.name!r} has version {highest} already")
        stored = msgspec.structs.replace(version, name=claim.name, version=number)
        with disk_errors(f"storing model {claim.name!r}", self._folder):
            self.discard(self._place(stored))  # what a deletion could not remove
            staging.rename(self._place(stored))
        before = (Pointers(), ()) if model is None else (model.pointers, model.versions)
        pointers = before[0].with_live(number) if live else before[0]
        self._models[claim.name] = Model.of((*before[1], stored), pointers)
        self._highest[claim.name] = number
        self._changes += 1
        return stored

    def point(self, claim: Claim, pointers: Pointers) -> None:
        self._models[claim.name] = Model.of(self._models[claim.name].versions, pointers)
        self._changes += 1

    def prune(self, claim: Claim, keep: int) -> bool:
        model = self._models.get(claim.name)
        if model is None:
            return False
        kept = {version.version for version in model.versions[-max(keep, 1) :]}
        return self._remove(model, kept | model.pointers.kept)

    def delete_version(self, claim: Claim, number: int) -> bool:
        model = self._models.get(claim.name)
        if model is None:
            return False
        return self._remove(model, {v.version for v in model.versions} - {number})

    def delete(self, claim: Claim) -> bool:
        model = self._models.pop(claim.name, None)
        if model is None:
            return False
        del self._highest[claim.name]
        for version in model.versions:
            self.discard(self._place(version))
        self._changes += 1
        return True

    def model(self, name: str) -> Model | None:
        return self._models.get(name)

    def list(self) -> list[Model]:
        return [model for _, model in sorted(self._models.items())]

    def default(self) -> DefaultChoice | None:
        return self._default

    def choose_default(self, choice: DefaultChoice) -> None:
        self._default = choice
        self._changes += 1

    def artifact(self, version: ModelVersion) -> Path:
        path = self._place(version) / MODEL
        with disk_errors(f"reading {version.reference}", self._folder):
            if path.exists() and is_whole(path, version.checksum):
                return path
        if not path.exists():
            raise removed(version)
        raise DamagedFile(f"the files of version {version.reference} are not what was stored")

    def revision(self) -> str:
        return str(self._changes)

    def _remove(self, model: Model, kept: set[int]) -> bool:
        gone = [version for version in model.versions if version.version not in kept]
        for version in gone:
            self.discard(self._place(version))
        rest = [version for version in model.versions if version.version in kept]
        self._models[model.name] = Model.of(rest, model.pointers)
        self._changes += bool(gone)
        return bool(gone)

    def _place(self, version: ModelVersion) -> Path:
        return self._folder / f"{version.name}-{version.version}"
