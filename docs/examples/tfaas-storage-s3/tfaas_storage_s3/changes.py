"""Changes of what is stored: each becomes visible by one conditional write of a model's record.

Files are written before, and removed after it. So what a killed server leaves belongs to no record,
and is removed by the next claim of that name, or a sweep.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from pathlib import Path

import msgspec

from tfaas_core import (
    Busy,
    DamagedFile,
    DoesNotFit,
    ModelVersion,
    Pointers,
    StorageUnavailable,
    TfaasError,
)
from tfaas_storage_s3 import keys
from tfaas_storage_s3.bucket import Bucket
from tfaas_storage_s3.files import write_files
from tfaas_storage_s3.lease import Lease
from tfaas_storage_s3.records import ModelRecord, Records, VersionRecord

_log = logging.getLogger(__name__)


class Unsure(StorageUnavailable):
    """Nobody knows whether a change was made: the store did not answer, and then not again."""


class Changes:
    """Changes one name, under its lease."""

    def __init__(self, bucket: Bucket, records: Records, lease: Lease, name: str) -> None:
        self._bucket = bucket
        self._records = records
        self._lease = lease
        self._name = name

    def commit(self, staging: Path, version: ModelVersion, live: bool) -> ModelVersion:
        """Stores the artifact in ``staging``, which stays as it is, as a version."""
        record, etag = self._records.record(self._name)
        number = self._next(record, version.version)
        stored = msgspec.structs.replace(version, name=self._name, version=number)
        token = keys.new_token()
        pointers = record.pointers
        if live or not record.versions:
            pointers = pointers.with_live(number)
        try:
            self._write(staging, stored, token)
            new = ModelRecord("", number, {**record.versions, number: token}, pointers)
            self._put(new, etag)
        except Unsure:
            raise
        except BaseException:
            self._remove_objects([token])
            raise
        return stored

    def _next(self, record: ModelRecord, wanted: int) -> int:
        there = max(record.versions, default=0)
        if 0 < wanted <= there:
            raise DoesNotFit(
                f"version {wanted} of model {self._name!r} cannot be stored: it has version"
                f" {there} already",
                field="version",
            )
        return wanted or max(there, record.highest) + 1

    def _write(self, staging: Path, stored: ModelVersion, token: str) -> None:
        written = write_files(self._bucket, self._name, token, staging, self._lease.check)
        if written.checksum != stored.checksum:
            raise DamagedFile(
                f"the files of model {self._name!r} changed on the server's disk while they were "
                "stored; upload them again"
            )
        body = _encoded(VersionRecord(stored, written.files))
        self._bucket.put(keys.of_version(self._name, token), body)

    def point(self, pointers: Pointers) -> None:
        """Sets all pointers."""
        record, etag = self._records.record(self._name)
        self._put(msgspec.structs.replace(record, pointers=pointers), etag)

    def prune(self, keep: int) -> bool:
        """Removes all but the newest ``keep``, the live and the labelled; whether there were."""
        record, etag = self._records.record(self._name)
        kept = {*sorted(record.versions)[-max(keep, 1) :]} | _pointers(record).kept
        return self._remove(record, etag, record.versions.keys() - kept)

    def delete_version(self, number: int) -> bool:
        """Removes one version; False if there was none."""
        record, etag = self._records.record(self._name)
        return self._remove(record, etag, record.versions.keys() & {number})

    def delete(self) -> bool:
        """Removes all versions; False if there were none."""
        record, etag = self._records.record(self._name)
        return self._remove(record, etag, set(record.versions))

    def _remove(self, record: ModelRecord, etag: str, gone: Collection[int]) -> bool:
        if not gone:
            return False
        left = {number: token for number, token in record.versions.items() if number not in gone}
        new = ModelRecord()
        if left:
            new = ModelRecord("", record.highest, left, _pointers(record).among(sorted(left)))
        self._put(new, etag)
        self._remove_objects([record.versions[number] for number in gone])
        return True

    def clean_up(self) -> None:
        """Removes what belongs to no version, after nobody can make it one any more."""
        there = {keys.upload_in(e.key)[1] for e in self._bucket.list(f"versions/{self._name}")}
        record, etag = self._records.record(self._name)
        if left_over := there - {*record.versions.values()}:
            self._put(record, etag)
            self._remove_objects(sorted(left_over))

    def _put(self, record: ModelRecord, etag: str) -> None:
        """Puts ``record`` in the place of the one with ``etag``. Raises Busy and Unsure."""
        self._lease.check()
        key = keys.of_model(self._name)
        record = msgspec.structs.replace(record, change=keys.new_token())
        body = msgspec.json.encode(record)
        try:
            if self._put_if(key, body, etag) is not None:
                return
        except StorageUnavailable as error:
            self._look_again(record, error)
        # The store may have said no to the second of two tries, after the first was done.
        if not self._is_there(record):
            raise Busy(
                f"model {self._name!r} was changed by somebody else meanwhile; try again",
                model=self._name,
            )

    def _put_if(self, key: str, body: bytes, etag: str) -> str | None:
        return self._bucket.replace(key, body, etag) if etag else self._bucket.create(key, body)

    def _look_again(self, record: ModelRecord, error: StorageUnavailable) -> None:
        try:
            there = self._is_there(record)
        except StorageUnavailable:
            raise Unsure(error.message, model=self._name) from error
        if not there:
            raise error

    def _is_there(self, record: ModelRecord) -> bool:
        return self._records.record(self._name)[0].change == record.change

    def _remove_objects(self, tokens: Collection[str]) -> None:
        """Removes what was written with ``tokens``; what cannot be removed now is left."""
        try:
            for token in tokens:
                listed = self._bucket.list(keys.folder_of(self._name, token))
                self._bucket.delete([each.key for each in listed])
        except TfaasError as error:
            _log.warning(
                "objects of model %r were not removed; a later start does it: %s",
                self._name,
                error.message,
            )


def _pointers(record: ModelRecord) -> Pointers:
    return record.pointers.among(sorted(record.versions))


def _encoded(record: VersionRecord) -> bytes:
    try:
        return msgspec.json.encode(record)
    except RecursionError:
        raise DoesNotFit("params is nested too deeply to be stored", field="params") from None
