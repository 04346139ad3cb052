"""The contract of storages that are read alone: a part of that of Storage, and how they refuse."""

from __future__ import annotations

import errno
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, Protocol

import pytest

from tfaas_core.errors import DamagedFile, StorageFull, StorageUnavailable, UnknownVersion
from tfaas_core.models.checksum import is_whole
from tfaas_core.storage import DefaultChoice, Storage
from tfaas_core.testing.disk_faults import Disk, watched
from tfaas_core.testing.suites.storage.case import READING, StorageCase, live, live_version

_MOST_REQUESTS = 200
_WAIT_S = 60.0

_READING: dict[str, Callable[[Storage], object]] = {
    **READING,
    "sweep": lambda storage: storage.sweep(),
}
_CHANGES: dict[str, Callable[[Storage], object]] = {
    "stage": lambda storage: storage.stage(),
    "claim": lambda storage: storage.claim("vk").__enter__(),
    "claim of a new name": lambda storage: storage.claim("new").__enter__(),
    "choose_default": lambda storage: storage.choose_default(DefaultChoice("vk", "2026-01-01")),
}


class Maintain(Protocol):
    """What is done in the folder of a storage by those who maintain the models there."""

    def __call__(self, folder: Path, name: str, number: int, /) -> None: ...


class ReadOnlyStorageContract(StorageCase):
    """What a storage does that only reads models, which others put there.

    Subclass it as ``Test...``, and set ``make_storage``, ``put`` and ``remove``. The folder and the
    models ``other``, of a version, and ``vk``, of two, are there before the storage is made.
    """

    put: ClassVar[Maintain]
    """Puts a version of a model there. When it returns, storages have to see it."""
    remove: ClassVar[Maintain]
    """Removes one again."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        folder = tmp_path / "storage"
        folder.mkdir()
        for name, number in (("vk", 1), ("other", 1), ("vk", 2)):
            type(self).put(folder, name, number)
        return folder

    def test_the_highest_version_of_each_model_is_live_and_they_are_sorted_by_name(
        self, storage: Storage, folder: Path
    ) -> None:
        assert _references(storage) == ["other/1", "vk/2"]
        type(self).put(folder, "a", 7)
        assert _references(storage) == ["a/7", "other/1", "vk/2"]
        assert [storage.model(name) for name in ("a", "other", "vk")] == storage.list()

    def test_examining_it_finds_nothing(self, folder: Path) -> None:
        storage = type(self).make_storage(folder)
        assert storage.examine() == []
        storage.close()

    @pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "none", "x" * 129, "a\0b"])
    def test_what_nobody_put_is_not_there(self, storage: Storage, name: str) -> None:
        assert storage.model(name) is None

    def test_an_artifact_is_what_its_record_says(self, storage: Storage) -> None:
        for model in storage.list():
            for version in model.versions:
                assert is_whole(storage.artifact(version), version.checksum)

    def test_a_damaged_file_is_not_given_out(self, storage: Storage) -> None:
        """It is DamagedFile, or got whole from elsewhere."""
        version = live_version(storage)
        artifact = storage.artifact(version)
        files = [artifact] if artifact.is_file() else sorted(artifact.rglob("*"))
        damaged = next(file for file in files if file.is_file())
        damaged.chmod(0o600)
        damaged.write_bytes(b"damaged" + damaged.read_bytes())
        with suppress(DamagedFile):
            assert is_whole(storage.artifact(version), version.checksum)

    def test_what_was_removed_is_not_there(self, storage: Storage, folder: Path) -> None:
        version = live_version(storage)
        type(self).remove(folder, "vk", 2)
        with pytest.raises(UnknownVersion, match="vk/2"):
            storage.artifact(version)
        assert _references(storage) == ["other/1", "vk/1"]
        type(self).remove(folder, "vk", 1)
        type(self).remove(folder, "other", 1)
        assert storage.model("vk") is None
        assert storage.list() == []

    def test_the_revision_tells_of_each_change_and_of_nothing_else(
        self, storage: Storage, folder: Path
    ) -> None:
        seen = storage.revision()
        storage.artifact(live_version(storage))
        assert storage.revision() == seen
        for change in (type(self).put, type(self).remove):
            change(folder, "vk", 3)
            assert storage.revision() != seen
            seen = storage.revision()

    def test_waiting_for_a_change_ends_with_it_or_with_its_time(
        self, storage: Storage, folder: Path
    ) -> None:
        seen = storage.revision()
        assert storage.wait_for_change(seen, 0.01) == seen
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(storage.wait_for_change, seen, _WAIT_S)
            type(self).put(folder, "vk", 3)
            assert waiting.result(_WAIT_S) != seen

    @pytest.mark.parametrize("change", _CHANGES)
    def test_a_change_is_refused_for_good(self, storage: Storage, change: str) -> None:
        """By an error that says 403, and nothing of trying again."""
        with pytest.raises(StorageUnavailable) as refused:
            _CHANGES[change](storage)
        assert refused.value.status == 403
        assert refused.value.message
        assert "retry-after" not in {name.lower() for name in refused.value.headers()}

    def test_it_leaves_the_models_as_they_are(self, storage: Storage, folder: Path) -> None:
        before = _files(folder)
        for ask in (*_READING.values(), *_CHANGES.values()):
            with suppress(StorageUnavailable):
                ask(storage)
        storage.discard(folder / "vk")
        assert _files(folder) == before

    def test_another_storage_of_the_folder_has_the_same(
        self, storage: Storage, folder: Path, crossing: None
    ) -> None:
        again = type(self).make_storage(folder)
        again.open()
        assert again.list() == storage.list()
        again.close()

    @pytest.mark.parametrize("method", _READING)
    def test_what_the_disk_refuses_to_read_is_an_error_of_storages(
        self, storage: Storage, folder: Path, method: str
    ) -> None:
        """Whichever of its requests it is: no OSError gets out."""
        there = _references(storage)
        for number in range(_MOST_REQUESTS):
            with (
                watched(Disk(folder, number, errno.EIO)) as disk,
                suppress(StorageUnavailable, StorageFull),
            ):
                _READING[method](storage)
            assert _references(storage) == there
            if not disk.has_refused:
                break


def _references(storage: Storage) -> list[str]:
    return [version.reference for version in live(storage)]


def _files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() if path.is_file() else b"" for path in folder.rglob("*")}
