"""A catalog over a storage that may be away, and what gets ready for it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tfaas_core.errors import StorageUnavailable
from tfaas_core.events import ModelEvent
from tfaas_core.models.model import ModelVersion
from tfaas_core.models.versions import Model, Pointers
from tfaas_core.predict.catalog import Catalog
from tfaas_core.routing.event_bus import switches
from tfaas_core.storage import DefaultChoice
from tfaas_core.testing.fakes import FakeStorage
from tfaas_core.testing.storage_processes import upload


class SometimesAway(FakeStorage):
    """A storage that cannot be read while it ``is_away``."""

    is_away = False
    looks = 0
    """How often one name was looked up."""

    def default(self) -> DefaultChoice | None:
        self._check()
        return super().default()

    def model(self, name: str) -> Model | None:
        self.looks += 1
        self._check()
        return super().model(name)

    def list(self) -> list[Model]:
        self._check()
        return super().list()

    def replace(self, version: ModelVersion) -> None:
        """Puts a record in the place of the one with its number."""
        model = self._models[version.name]
        versions = [version if v.version == version.version else v for v in model.versions]
        self._models[version.name] = Model.of(versions, model.pointers)

    def _check(self) -> None:
        if self.is_away:
            raise StorageUnavailable("the disk is gone")


class Case:
    """A catalog over a storage; what it told is in ``gone``, ``readied`` and ``told``."""

    def __init__(self, folder: Path, default: str = "") -> None:
        self.storage = SometimesAway(folder)
        self.storage.open()
        self.gone: list[str] = []
        self.readied: list[str] = []
        self.may_be_ready = asyncio.Event()
        self.may_be_ready.set()
        self.fault: BaseException | None = None
        self.told: list[ModelEvent] = []
        self.catalog = Catalog(
            self.storage,
            default,
            lambda version: self.gone.append(version.key),
            self._make_ready,
            lambda *switched: self.told.extend(switches(*switched)),
        )

    async def _make_ready(self, old: ModelVersion, new: ModelVersion) -> None:
        self.readied.append(f"{old.reference} {new.reference}")
        await self.may_be_ready.wait()
        if self.fault is not None:
            raise self.fault

    def upload(self, name: str, keep: int = 0) -> ModelVersion:
        return upload(self.storage, name, keep=keep)

    def point(self, name: str, *history: int, **labels: int) -> None:
        with self.storage.claim(name) as claim:
            self.storage.point(claim, Pointers(history, labels))

    def delete(self, name: str) -> None:
        with self.storage.claim(name) as claim:
            self.storage.delete(claim)

    def live(self, name: str | None) -> int:
        return self.catalog.get(name).version
