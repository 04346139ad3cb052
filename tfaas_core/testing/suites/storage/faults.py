"""The part of Storage's contract about disks that fail, damaged files and large ones."""

from __future__ import annotations

import errno
import os
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest

from tfaas_core.errors import DamagedFile, StorageFull, StorageUnavailable
from tfaas_core.models.checksum import artifact_checksum
from tfaas_core.models.model import ModelVersion
from tfaas_core.models.versions import Pointers
from tfaas_core.storage import MODEL, Claim, DefaultChoice, Storage
from tfaas_core.testing import storage_processes as processes
from tfaas_core.testing.disk_faults import Disk, watched
from tfaas_core.testing.models import model_version
from tfaas_core.testing.storage_processes import Shape, can_claim, fault_of, upload
from tfaas_core.testing.suites.storage.case import READING, StorageCase, numbers

_LARGE_BYTES = 24 << 20
_PIECE_BYTES = 1 << 20
_MOST_BYTES_IN_MEMORY = 8 << 20
_MOST_REQUESTS = 200

_CHANGES: dict[str, Callable[[Storage, Claim, Path, ModelVersion], Any]] = {
    "stage": lambda storage, *_: storage.stage(),
    "discard": lambda storage, _, staging, __: storage.discard(staging),
    "commit": lambda storage, *upload: storage.commit(*upload),
    "point": lambda storage, claim, *_: storage.point(claim, Pointers((_newest(storage),))),
    "prune": lambda storage, claim, *_: storage.prune(claim, 1),
    "delete_version": lambda storage, claim, *_: storage.delete_version(
        claim, _newest(storage) - 1
    ),
    "delete": lambda storage, claim, *_: storage.delete(claim),
    "choose_default": lambda storage, *_: storage.choose_default(DefaultChoice("vk", "2026-01-01")),
    "sweep": lambda storage, *_: storage.sweep(),
}


class FaultsContract(StorageCase):
    """What a storage does where something fails, or is large."""

    syncs_files: ClassVar[bool] = True
    """Whether it writes the files of versions itself, and hence calls ``os.fsync``. A database, or
    a server elsewhere, sees to that by itself."""

    @pytest.mark.parametrize("method", READING)
    def test_what_the_disk_refuses_to_read_is_an_error_of_storages(
        self, storage: Storage, folder: Path, method: str
    ) -> None:
        """Whichever of its requests it is: no OSError gets out."""
        stored = upload(storage, "vk")
        for number in range(_MOST_REQUESTS):
            with watched(Disk(folder, number, errno.EIO)) as disk:
                _tried(lambda: READING[method](storage))
            if not disk.has_refused:
                break
            assert storage.list() == [storage.model("vk")]
            assert fault_of(storage, stored) is None

    @pytest.mark.parametrize("method", _CHANGES)
    def test_what_the_disk_refuses_to_change_is_an_error_of_storages(
        self, storage: Storage, folder: Path, method: str
    ) -> None:
        """Whichever of its requests it is, and all models are whole afterwards."""
        for number in range(_MOST_REQUESTS):
            while len(numbers(storage, "vk")) < 2:
                upload(storage, "vk")
            staging = storage.stage()
            record = processes.fill(staging, "vk", b"three", Shape.FOLDER)
            fault = Disk(folder, number, (errno.ENOSPC, errno.EIO)[number % 2])
            with storage.claim("vk") as claim, watched(fault) as disk:
                _tried(partial(_CHANGES[method], storage, claim, staging, record))
            storage.discard(staging)
            for model in storage.list():
                assert not any(fault_of(storage, version) for version in model.versions)
            assert can_claim(storage, "vk")
            if not disk.has_refused:
                break

    def test_a_claim_that_the_disk_refuses_is_an_error_of_storages(
        self, storage: Storage, folder: Path
    ) -> None:
        for number in range(_MOST_REQUESTS):
            with watched(Disk(folder, number, errno.EIO)) as disk:
                _tried(lambda: can_claim(storage, "vk"))
            assert can_claim(storage, "vk")
            if not disk.has_refused:
                break

    @pytest.mark.parametrize("shape", list(Shape))
    def test_a_committed_version_survives_a_power_cut(
        self, storage: Storage, folder: Path, shape: Shape
    ) -> None:
        """Its files are on the disk, and then the folders that name them."""
        if not self.syncs_files:
            pytest.skip("this storage writes no files that it has to sync")
        staging = storage.stage()
        record = processes.fill(staging, "vk", b"weights", shape)
        with storage.claim("vk") as claim, watched(Disk(folder)) as disk:
            stored = storage.commit(claim, staging, record)
        artifact = storage.artifact(stored)
        for path in (artifact, *artifact.rglob("*"), *_between(artifact, folder)):
            assert path.stat().st_ino in disk.synced, f"{path} was not synced"
        renames = [n for n, request in enumerate(disk.asked) if request == "os.rename"]
        assert not renames or max(disk.synced.values()) > renames[-1]

    @pytest.mark.parametrize("shape", list(Shape))
    def test_a_damaged_file_is_not_given_out(
        self, storage: Storage, folder: Path, shape: Shape
    ) -> None:
        """It is DamagedFile, or got whole from elsewhere."""
        for damage in (_changed, _cut, bytes):
            stored = upload(storage, "vk", shape=shape)
            file = next(path for path in _files(storage.artifact(stored)))
            file.chmod(0o600)
            file.write_bytes(damage(file.read_bytes()))
            again = type(self).make_storage(folder) if self.crosses_processes else storage
            if again is not storage:
                again.open()
            with suppress(DamagedFile):
                assert fault_of(again, stored) is None
            if again is not storage:
                again.close()

    @pytest.mark.parametrize("shape", list(Shape))
    def test_a_damaged_file_is_found_by_verify(self, storage: Storage, shape: Shape) -> None:
        """If it is what is stored, and not a copy of that."""
        stored = upload(storage, "vk", shape=shape)
        storage.verify(stored)
        file = next(path for path in _files(storage.artifact(stored)))
        file.chmod(0o600)
        file.write_bytes(_changed(file.read_bytes()))
        try:
            assert fault_of(storage, stored) is None
        except DamagedFile:
            with pytest.raises(DamagedFile):
                storage.verify(stored)
        else:
            storage.verify(stored)

    def test_a_large_file_is_never_in_memory_as_a_whole(
        self, storage: Storage, folder: Path
    ) -> None:
        staging = storage.stage()
        with (staging / MODEL).open("wb") as file:
            for number in range(_LARGE_BYTES // _PIECE_BYTES):
                file.write(bytes([number]) * _PIECE_BYTES)
        record = _record(staging)
        tracemalloc.start()
        try:
            with storage.claim("vk") as claim:
                stored = storage.commit(claim, staging, record)
            assert os.path.getsize(storage.artifact(stored)) == _LARGE_BYTES
            _, peak_bytes = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak_bytes < _MOST_BYTES_IN_MEMORY


def _tried(call: Callable[[], object]) -> None:
    with suppress(StorageUnavailable, StorageFull):
        call()


def _newest(storage: Storage) -> int:
    model = storage.model("vk")
    return 0 if model is None else model.newest.version


def _record(staging: Path) -> ModelVersion:
    checksum = artifact_checksum(staging / MODEL)
    return msgspec.structs.replace(model_version(name="vk", version=0), checksum=checksum)


def _between(artifact: Path, folder: Path) -> list[Path]:
    """The folders that hold the artifact, up to the storage's."""
    return [path for path in artifact.parents if path.is_relative_to(folder)]


def _files(artifact: Path) -> list[Path]:
    if artifact.is_file():
        return [artifact]
    return [path for path in artifact.rglob("*") if path.is_file()]


def _changed(body: bytes) -> bytes:
    return body[:-1] + bytes([body[-1] ^ 1])


def _cut(body: bytes) -> bytes:
    return body[: len(body) // 2]
