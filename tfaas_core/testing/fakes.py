"""One fake per interface: quick, small, and true to the contract."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from tfaas_core.errors import Busy
from tfaas_core.model import ModelVersion, check_name
from tfaas_core.storage import MODEL, Claim, DefaultChoice, Storage


class FakeStorage(Storage):
    """A Storage for one process: records and claims in memory, files under ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._versions: dict[str, list[ModelVersion]] = {}
        self._claimed: set[str] = set()
        self._default: DefaultChoice | None = None
        self._mutex = threading.Lock()

    def open(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)

    def sweep(self) -> None:
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
        return Path(tempfile.mkdtemp(prefix=".staging-", dir=self._folder))

    def discard(self, staging: Path) -> None:
        shutil.rmtree(staging, ignore_errors=True)

    def commit(self, claim: Claim, staging: Path, version: ModelVersion) -> ModelVersion:
        versions = self._versions.setdefault(claim.name, [])
        number = versions[-1].version + 1 if versions else 1
        stored = msgspec.structs.replace(version, name=claim.name, version=number)
        staging.rename(self._place(stored))
        versions.append(stored)
        return stored

    def prune(self, claim: Claim, keep: int) -> None:
        versions = self._versions.get(claim.name, [])
        while len(versions) > max(keep, 1):
            shutil.rmtree(self._place(versions.pop(0)))

    def delete(self, claim: Claim) -> bool:
        versions = self._versions.pop(claim.name, [])
        for version in versions:
            shutil.rmtree(self._place(version))
        return bool(versions)

    def newest(self, name: str) -> ModelVersion | None:
        with suppress(KeyError):
            return self._versions[name][-1]
        return None

    def list(self) -> list[ModelVersion]:
        return [versions[-1] for _, versions in sorted(self._versions.items())]

    def default(self) -> DefaultChoice | None:
        return self._default

    def choose_default(self, choice: DefaultChoice) -> None:
        self._default = choice

    def artifact(self, version: ModelVersion) -> Path:
        return self._place(version) / MODEL

    def _place(self, version: ModelVersion) -> Path:
        return self._folder / f"{version.name}-{version.version}"
