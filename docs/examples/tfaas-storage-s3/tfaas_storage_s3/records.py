"""Records: what the bucket says of models and versions, each read only once until it changes."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import msgspec

from tfaas_core import Model, ModelVersion, Pointers, StorageUnavailable
from tfaas_storage_s3 import keys
from tfaas_storage_s3.bucket import Bucket, Object
from tfaas_storage_s3.files import StoredFile

_TOGETHER = 16
"""Records that are asked for at a time, where many have changed."""

T = TypeVar("T")

_log = logging.getLogger(__name__)


class ModelRecord(msgspec.Struct, frozen=True):
    """Which versions a model has: their tokens by their numbers.

    ``change`` is another one after each change. A model that was deleted has no versions. Its
    record stays, so that who still thinks that it is there cannot write over what comes next.
    """

    change: str = ""
    highest: int = 0
    versions: dict[int, str] = {}
    pointers: Pointers = Pointers()


class VersionRecord(msgspec.Struct, frozen=True):
    """One version, which never changes."""

    version: ModelVersion
    files: tuple[StoredFile, ...]


class Records:
    """What is known of the models in a bucket. Methods may be called from any thread.

    ``warn`` gets a sentence about each object that cannot be read, once.
    """

    def __init__(self, bucket: Bucket, warn: Callable[[str], None] = _log.warning) -> None:
        self._bucket = bucket
        self._warn = warn
        self._models: dict[str, tuple[str, Model | None]] = {}
        self._versions: dict[str, VersionRecord] = {}
        self._warned: set[str] = set()

    def revision(self) -> str:
        """Differs after each change. One request for each thousand models."""
        listed = self._bucket.list(keys.STATE)
        seen = sorted((each.key, each.etag) for each in listed)
        return hashlib.sha256(msgspec.json.encode(seen)).hexdigest()

    def list(self) -> list[Model]:
        """Every model, sorted by name."""
        listed = {keys.name_in(each.key): each for each in self._bucket.list(keys.MODELS)}
        known = self._models
        changed = [name for name, each in listed.items() if _etag(known, name) != each.etag]
        if len(changed) > 1:
            with ThreadPoolExecutor(_TOGETHER) as pool:
                read = dict(pool.map(self._read, changed))
        else:
            read = dict(map(self._read, changed))
        self._models = {n: read.get(n) or known[n] for n in listed}
        self._forget()
        found = (model for _, (_, model) in sorted(self._models.items()))
        return [model for model in found if model is not None]

    def model(self, name: str) -> Model | None:
        """The model of this name. One small request if it has not changed."""
        there = self._bucket.get(keys.of_model(name))
        if there is None:
            return None
        etag, model = self._models.get(name, ("", None))
        if etag != there.etag:
            model = self._of(name, there)
            self._models[name] = there.etag, model
        return model

    def record(self, name: str) -> tuple[ModelRecord, str]:
        """The record of a model as it is now, and its ETag; which is empty if there is none."""
        there = self._bucket.get(keys.of_model(name))
        if there is None:
            return ModelRecord(), ""
        record = self._decoded(there, ModelRecord)
        if record is None:
            raise StorageUnavailable(
                f"model {name!r} cannot be changed, since the object {there.key} in the bucket is "
                "broken; bring back an older version of it",
                model=name,
            )
        return record, there.etag

    def version(self, name: str, token: str) -> VersionRecord | None:
        """The record of a version; None if it is not there, or broken."""
        if token not in self._versions:
            there = self._bucket.get(keys.of_version(name, token))
            found = None if there is None else self._decoded(there, VersionRecord)
            if found is None:
                return None
            self._versions[token] = found
        return self._versions[token]

    def _read(self, name: str) -> tuple[str, tuple[str, Model | None]]:
        there = self._bucket.get(keys.of_model(name))
        if there is None:
            return name, ("", None)
        return name, (there.etag, self._of(name, there))

    def _of(self, name: str, there: Object) -> Model | None:
        while True:
            record = self._decoded(there, ModelRecord) or ModelRecord()
            found = [self.version(name, token) for token in record.versions.values()]
            if None not in found:
                break
            # Some have been removed meanwhile, or are broken.
            again = self._bucket.get(there.key)
            if again is None or again.etag == there.etag:
                break
            there = again
        versions = [each.version for each in found if each is not None]
        return Model.of(versions, record.pointers) if versions else None

    def _forget(self) -> None:
        """Lets go of the records of versions that are not there any more."""
        there = {
            version.key
            for _, model in self._models.values()
            for version in (() if model is None else model.versions)
        }
        for token, record in list(self._versions.items()):
            if record.version.key not in there:
                self._versions.pop(token, None)

    def _decoded(self, there: Object, kind: type[T]) -> T | None:
        """None, and a warning, if it is broken."""
        try:
            return msgspec.json.decode(there.body, type=kind)
        except (msgspec.DecodeError, RecursionError) as error:
            message = f"the object {there.key} in the bucket is broken: {error}"
            if message not in self._warned:
                self._warned.add(message)
                self._warn(message)
            return None


def _etag(known: dict[str, tuple[str, Model | None]], name: str) -> str:
    return known.get(name, ("", None))[0]
