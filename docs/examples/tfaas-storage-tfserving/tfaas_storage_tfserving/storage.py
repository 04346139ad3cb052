"""The storage that reads what another server serves, and writes nothing there."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import msgspec

from tfaas_core.errors import ConfigError, DamagedFile, StorageUnavailable
from tfaas_core.models.checksum import is_whole
from tfaas_core.models.model import ModelVersion
from tfaas_core.models.versions import Model, Pointers
from tfaas_core.storage import disk_errors, removed
from tfaas_storage_tfserving.files import artifact_in, folder_of, numbers
from tfaas_storage_tfserving.read_only import ReadOnlyStorage
from tfaas_storage_tfserving.reader import Reader
from tfaas_storage_tfserving.records import Records
from tfaas_storage_tfserving.sources import Source, Sources

_READING_S = 0.1

_log = logging.getLogger(__name__)


class TfServingStorage(ReadOnlyStorage):
    """Serves the models of ``sources``; what was found out about them is in ``records``.

    A version is there once it was read. Its number is that of its folder, and the highest one that
    the policy lets through is live.
    """

    starts_programs = True
    """It has models read by a process of its own."""

    def __init__(self, sources: Sources, records: Records, folder: Path, poll_s: float) -> None:
        self._sources = sources
        self._records = records
        self._reader = Reader(sources, records, folder)
        self._poll_s = poll_s
        self._look_at_s = 0.0
        self.where = sources.where

    def written(self) -> Sequence[Path]:
        return [self._records.root]

    def open(self) -> None:
        """Reads all versions that were not read yet, unless another process is at it."""
        try:
            self._sources.check()
        except ConfigError as error:
            # A worker that is replaced has to live with what was broken since the start.
            raise StorageUnavailable(error.message) from None
        try:
            self._records.open()
        except OSError as error:
            where = f"the folder {str(self._records.root)!r} cannot be used: {error.strerror}"
            raise ConfigError(f"{where} - at `$.storage.records`") from None
        with self._told("reading the models"):
            for hint in self._sources.hints():
                _log.warning("%s", hint)
            while self._reader.step():
                time.sleep(_READING_S)

    def examine(self) -> list[str]:
        self._sources.check()
        return self._sources.hints()

    def close(self) -> None:
        self._reader.close()

    def model(self, name: str) -> Model | None:
        with self._told(f"looking up model {name!r}"):
            source = self._source(name)
            return None if source is None else self._model(source)

    def list(self) -> list[Model]:
        with self._told("listing the models"):
            models = [self._model(source) for source in self._sources.all()]
        return [model for model in models if model is not None]

    def artifact(self, version: ModelVersion) -> Path:
        with self._told(f"reading {version.reference}"):
            source = self._source(version.name)
            path = None
            if source is not None:
                path = artifact_in(folder_of(source.base, version.version))
            if path is None:
                raise removed(version)
            if is_whole(path, version.checksum):
                return path
        raise DamagedFile(
            f"the files of version {version.reference} have changed, and were not read again yet",
            model=version.name,
        )

    def revision(self) -> str:
        with self._told("looking for changes of the models"):
            seen = [
                (
                    source.name,
                    source.labels,
                    self._records.state(source.name, folder_of(source.base, each.version)),
                )
                for source in self._sources.all()
                for each in self._served(source)
            ]
        return hashlib.sha256(msgspec.json.encode(seen)).hexdigest()

    def wait_for_change(self, seen: str, timeout_s: float) -> str:
        """Has versions read that came, too; so it looks no more often than ``poll_s`` says."""
        wait_s = self._look_at_s - time.monotonic()
        if seen and wait_s > timeout_s:
            time.sleep(timeout_s)
            return seen
        time.sleep(max(wait_s, 0.0))
        self._look_at_s = time.monotonic() + self._poll_s
        with self._told("looking for changes of the models"):
            self._reader.step()
        return self.revision()

    def _source(self, name: str) -> Source | None:
        return next((source for source in self._sources.all() if source.name == name), None)

    def _model(self, source: Source) -> Model | None:
        versions = self._served(source)
        if not versions:
            return None
        return Model.of(versions, Pointers((versions[0].version,), source.labels))

    def _served(self, source: Source) -> Sequence[ModelVersion]:
        """The versions that were read, as many as the policy says, the newest first."""
        served: list[ModelVersion] = []
        for number in filter(source.policy.takes, numbers(source.base)):
            finding = self._records.get(source.name, folder_of(source.base, number))
            if finding is not None and finding.record is not None:
                served.append(finding.record)
            if served and len(served) == source.policy.latest:
                break
        return served

    def _told(self, doing: str) -> AbstractContextManager[None]:
        return disk_errors(doing, self._sources.where)
