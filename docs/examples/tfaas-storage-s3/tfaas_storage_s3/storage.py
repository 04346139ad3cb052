"""The storage in a bucket, with a cache on the local disk, which models are loaded from."""

from __future__ import annotations

import builtins
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import msgspec

from tfaas_core import (
    Busy,
    Claim,
    ConfigError,
    DamagedFile,
    DefaultChoice,
    Model,
    ModelVersion,
    Pointers,
    Storage,
    StorageUnavailable,
    TfaasError,
)
from tfaas_core.local_disk.artifact_cache import ArtifactCache, clear_but_model
from tfaas_core.models.checksum import is_whole
from tfaas_core.models.model import check_name, is_name
from tfaas_core.storage import MODEL, disk_errors, removed
from tfaas_storage_s3 import keys
from tfaas_storage_s3.bucket import Bucket, Options
from tfaas_storage_s3.changes import Changes
from tfaas_storage_s3.files import read_files
from tfaas_storage_s3.lease import RENEWALS, RESOLUTION_S, Lease
from tfaas_storage_s3.records import Records, VersionRecord

_EXAMINING_S = 3.0

_log = logging.getLogger(__name__)


class S3Claim(Claim, frozen=True):
    """A claim, and the lease that it is."""

    lease: Lease


class _Default(msgspec.Struct, frozen=True):
    """The content of ``state/default.json``. ``change`` is another one after each change."""

    choice: DefaultChoice
    change: str


class S3Storage(Storage):
    """Keeps models in a bucket, which servers of several hosts may share."""

    def __init__(
        self, options: Options, cache: ArtifactCache, poll_s: float, lease_s: float
    ) -> None:
        self._options = options
        self._bucket = Bucket(options)
        self._cache = cache
        self._records = Records(self._bucket)
        self._poll_s = poll_s
        self._look_at_s = 0.0
        self._has_conditions = False
        self._leasing_s = lease_s
        quick_s = min(options.timeout_s, lease_s / RENEWALS)
        self._quick = Bucket(msgspec.structs.replace(options, timeout_s=quick_s))
        # What measures it is a clock of seconds, asked after the fact.
        self.lease_s = lease_s + 2 * RESOLUTION_S

    def written(self) -> builtins.list[Path]:
        return [self._cache.folder]

    def open(self) -> None:
        with self._usable_cache():
            self._cache.open()
        self._bucket.list(keys.STATE)
        try:
            self._check_conditions()
        except StorageUnavailable as error:
            _log.warning("models are served, and none can be changed: %s", error.message)

    def _check_conditions(self) -> None:
        """Raises StorageUnavailable as long as the store does not keep changes apart."""
        if not self._has_conditions:
            self._bucket.check_conditions(keys.CLOCK)
            self._has_conditions = True

    def examine(self) -> list[str]:
        with self._usable_cache():
            self._cache.examine()
        quick_s = min(self._options.timeout_s, _EXAMINING_S)
        bucket = Bucket(msgspec.structs.replace(self._options, timeout_s=quick_s, retries=0))
        try:
            bucket.list(keys.STATE)
        except StorageUnavailable as error:
            raise ConfigError(f"{error.message} - at `$.storage`") from error
        return []

    @contextmanager
    def _usable_cache(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            what = f"the cache folder {str(self._cache.folder)!r} cannot be used"
            raise ConfigError(f"{what}: {why} - at `$.storage.cache`") from error

    def sweep(self) -> None:
        with disk_errors("cleaning up the cache", self._cache.folder):
            self._cache.sweep()
        uploads = {keys.upload_in(each.key) for each in self._bucket.list(keys.VERSIONS)}
        stored = {name: self._tokens(name) for name, _ in uploads if is_name(name)}
        left = {name for name, token in uploads if token not in stored.get(name, {token})}
        claimed = {keys.name_in(each.key) for each in self._bucket.list(keys.CLAIMS)}
        for name in sorted(left | claimed):
            with suppress(Busy), self.claim(name) as claim:
                self._changes(claim).clean_up()

    def _tokens(self, name: str) -> set[str]:
        return {*self._records.record(name)[0].versions.values()}

    def close(self) -> None:
        self._cache.staging.close()

    @contextmanager
    def claim(self, name: str) -> Iterator[S3Claim]:
        check_name(name)
        self._check_conditions()
        lease = Lease(self._bucket, self._quick, name, self._leasing_s)
        was_left = lease.take()
        try:
            claim = S3Claim(name, lease)
            if was_left:
                self._changes(claim).clean_up()
            yield claim
        finally:
            lease.give_up()

    def _changes(self, claim: Claim) -> Changes:
        assert isinstance(claim, S3Claim), "a claim of another storage"
        return Changes(self._bucket, self._records, claim.lease, claim.name)

    def stage(self) -> Path:
        with disk_errors("starting an upload", self._cache.folder):
            return self._cache.stage()

    def discard(self, staging: Path) -> None:
        self._cache.staging.discard(staging)

    def commit(
        self, claim: Claim, staging: Path, version: ModelVersion, live: bool = True
    ) -> ModelVersion:
        with disk_errors(f"storing model {claim.name!r}", self._cache.folder):
            stored = self._changes(claim).commit(staging, version, live)
        try:
            clear_but_model(staging)
            self._cache.add(staging, stored.checksum)
        except OSError as error:
            _log.warning("%s could not be cached: %s", stored.reference, error)
            self.discard(staging)
        return stored

    def point(self, claim: Claim, pointers: Pointers) -> None:
        self._changes(claim).point(pointers)

    def prune(self, claim: Claim, keep: int) -> bool:
        return self._removed(claim, lambda changes: changes.prune(keep))

    def delete_version(self, claim: Claim, number: int) -> bool:
        return self._removed(claim, lambda changes: changes.delete_version(number))

    def delete(self, claim: Claim) -> bool:
        deleted = self._removed(claim, Changes.delete)
        assert isinstance(claim, S3Claim)
        claim.lease.give_up()
        return deleted

    def _removed(self, claim: Claim, remove: Callable[[Changes], bool]) -> bool:
        """Whether ``remove`` removed any; what only these versions had leaves the cache first.

        Else uploads that remove each other's versions would fill the disk, however small the cache
        is to be: what was used just now stays there.
        """
        model = self.model(claim.name)
        before = _checksums([] if model is None else [model])
        if not remove(self._changes(claim)):
            return False
        try:
            self._cache.forget(before - _checksums(self.list()))
        except (OSError, TfaasError) as error:
            _log.warning("what was removed stays in the cache for a while: %s", error)
        return True

    def model(self, name: str) -> Model | None:
        return self._records.model(name) if is_name(name) else None

    def list(self) -> list[Model]:
        return self._records.list()

    def default(self) -> DefaultChoice | None:
        there = self._bucket.get(keys.DEFAULT)
        try:
            return None if there is None else msgspec.json.decode(there.body, type=_Default).choice
        except msgspec.DecodeError as error:
            _log.warning("the object %s in the bucket is broken: %s", keys.DEFAULT, error)
            return None

    def choose_default(self, choice: DefaultChoice) -> None:
        self._bucket.put(keys.DEFAULT, msgspec.json.encode(_Default(choice, keys.new_token())))

    def artifact(self, version: ModelVersion) -> Path:
        with disk_errors(f"fetching version {version.reference}", self._cache.folder):
            if (cached := self._cache.find(version.checksum)) is not None:
                with suppress(StorageUnavailable):
                    self._upload_of(version)
                return cached

            return self._cache.fetch(version.checksum, partial(self._fetch, version))

    def verify(self, version: ModelVersion) -> None:
        with disk_errors(f"reading version {version.reference}", self._cache.folder):
            self._cache.check(partial(self._fetch, version))

    def broken_records(self) -> builtins.list[str]:
        found: builtins.list[str] = []
        Records(self._bucket, found.append).list()
        return found

    def _fetch(self, version: ModelVersion, folder: Path) -> None:
        token, record = self._upload_of(version)
        path = read_files(self._bucket, version.name, token, record.files, folder)
        if not path and is_whole(folder / MODEL, version.checksum):
            return
        self._upload_of(version)  # it may have been removed meanwhile
        raise DamagedFile(
            f"{f'the file {path!r}' if path else 'a file'} of version {version.reference} is "
            "damaged in the bucket; upload it again",
            model=version.name,
        )

    def _upload_of(self, version: ModelVersion) -> tuple[str, VersionRecord]:
        """The token and the record of a stored version; raises UnknownVersion if it is gone."""
        token = self._records.record(version.name)[0].versions.get(version.version, "")
        record = self._records.version(version.name, token) if token else None
        if record is None or _identity(record.version) != _identity(version):
            raise removed(version)
        return token, record

    def revision(self) -> str:
        return self._records.revision()

    def wait_for_change(self, seen: str, timeout_s: float) -> str:
        """Asks no more often than ``poll_s`` says."""
        end_s = time.monotonic() + timeout_s
        while True:
            wait_s = self._look_at_s - time.monotonic()
            left_s = end_s - time.monotonic()
            if seen and wait_s > left_s:
                time.sleep(max(left_s, 0.0))
                return seen
            time.sleep(max(wait_s, 0.0))
            self._look_at_s = time.monotonic() + self._poll_s
            if (revision := self.revision()) != seen:
                return revision


def _checksums(models: Iterable[Model]) -> set[str]:
    return {version.checksum for model in models for version in model.versions}


def _identity(version: ModelVersion) -> tuple[str, str]:
    """What no other version has, not even a later one of the same number."""
    return version.key, version.checksum
