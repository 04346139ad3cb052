"""Storages that are only read: a right one, and wrong ones, each with the test that must fail."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from tests.core.testing.outcomes import add_tests
from tfaas_core.errors import DamagedFile, StorageUnavailable
from tfaas_core.models.checksum import artifact_checksum, is_whole
from tfaas_core.models.model import ModelVersion, is_name
from tfaas_core.models.versions import Model, Pointers
from tfaas_core.storage import MODEL, Claim, DefaultChoice, Storage, disk_errors, removed
from tfaas_core.testing.models import model_version
from tfaas_core.testing.storage_read_only import ReadOnlyStorageContract


class Refused(StorageUnavailable):
    """It is of no use to ask again."""

    status = 403
    code: ClassVar[str] = "read_only"

    def headers(self) -> dict[str, str]:
        return {}


def refuse(*_: Any, **__: Any) -> Any:
    raise Refused("models are put there by others; ask them")


class ReadsFolders(Storage):
    """``NAME/NUMBER`` has the model, and its record."""

    claim = stage = commit = point = choose_default = refuse
    prune = delete_version = delete = refuse

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def open(self) -> None:
        pass

    def sweep(self) -> None:
        pass

    def close(self) -> None:
        pass

    def discard(self, staging: Path) -> None:
        pass

    def default(self) -> DefaultChoice | None:
        return None

    def model(self, name: str) -> Model | None:
        if not is_name(name):
            return None
        with self._told():
            found = [self._record(file) for file in self._folder.glob(f"{name}/*/version.json")]
        if not found:
            return None
        return Model.of(found, Pointers((self._live([record.version for record in found]),)))

    def list(self) -> list[Model]:
        with self._told():
            names = sorted(folder.name for folder in self._folder.iterdir())
        return [model for name in names if (model := self.model(name)) is not None]

    def artifact(self, version: ModelVersion) -> Path:
        path = self._folder / version.name / str(version.version) / MODEL
        with self._told():
            if not path.exists():
                raise removed(version)
            if not is_whole(path, version.checksum):
                raise DamagedFile(f"{version.reference} is damaged; put it there again")
        return path

    def revision(self) -> str:
        return hashlib.sha256(msgspec.json.encode(self.list())).hexdigest()

    def _live(self, numbers: Sequence[int]) -> int:
        return max(numbers)

    def _record(self, file: Path) -> ModelVersion:
        return msgspec.json.decode(file.read_bytes(), type=ModelVersion)

    def _told(self) -> AbstractContextManager[None]:
        return disk_errors("reading models", self._folder)


def put_version(folder: Path, name: str, number: int) -> None:
    version = folder / name / str(number)
    version.mkdir(parents=True)
    (version / MODEL).write_bytes(f"{name} {number}".encode())
    record = model_version(name=name, version=number)
    record = msgspec.structs.replace(record, checksum=artifact_checksum(version / MODEL))
    (version / "version.json").write_bytes(msgspec.json.encode(record))


def remove_version(folder: Path, name: str, number: int) -> None:
    shutil.rmtree(folder / name / str(number))


class Suite(ReadOnlyStorageContract):
    put = staticmethod(put_version)
    remove = staticmethod(remove_version)


class TestRight(Suite):
    make_storage = ReadsFolders


class ListsAsItComes(ReadsFolders):
    def list(self) -> list[Model]:
        return super().list()[::-1]


class ServesTheFirst(ReadsFolders):
    def _live(self, numbers: Sequence[int]) -> int:
        return min(numbers)


class ChecksNoChecksum(ReadsFolders):
    def artifact(self, version: ModelVersion) -> Path:
        path = self._folder / version.name / str(version.version) / MODEL
        if not path.exists():
            raise removed(version)
        return path


class GivesOutWhatIsGone(ReadsFolders):
    def artifact(self, version: ModelVersion) -> Path:
        with self._told():
            return self._folder / version.name / str(version.version) / MODEL


class ReadsAnyPath(ReadsFolders):
    def model(self, name: str) -> Model | None:
        return super().model(name) or self.list()[0]


class IsAlwaysTheSame(ReadsFolders):
    def revision(self) -> str:
        return "1"


class AsksForPatience(ReadsFolders):
    def stage(self) -> Path:
        raise StorageUnavailable("nothing can be uploaded now")


class TakesUploads(ReadsFolders):
    @contextmanager
    def claim(self, name: str) -> Iterator[Claim]:
        yield Claim(name)


class KeepsNotesThere(ReadsFolders):
    def list(self) -> list[Model]:
        with self._told():
            (self._folder / "listed").touch()
        return super().list()


class DiscardsModels(ReadsFolders):
    def discard(self, staging: Path) -> None:
        shutil.rmtree(staging)


class LeaksOSErrors(ReadsFolders):
    @contextmanager
    def _told(self) -> Iterator[None]:
        yield


class KnowsWhatItWasToldOnce(ReadsFolders):
    def open(self) -> None:
        self._folder = Path(shutil.copytree(self._folder, self._folder.with_name("copy")))


WRONG: dict[type[Storage], str] = {
    ListsAsItComes: "test_the_highest_version_of_each_model_is_live_and_they_are_sorted_by_name",
    ServesTheFirst: "test_the_highest_version_of_each_model_is_live_and_they_are_sorted_by_name",
    ChecksNoChecksum: "test_a_damaged_file_is_not_given_out",
    GivesOutWhatIsGone: "test_what_was_removed_is_not_there",
    ReadsAnyPath: "test_what_nobody_put_is_not_there",
    IsAlwaysTheSame: "test_the_revision_tells_of_each_change_and_of_nothing_else",
    AsksForPatience: "test_a_change_is_refused_for_good",
    TakesUploads: "test_a_change_is_refused_for_good",
    KeepsNotesThere: "test_it_leaves_the_models_as_they_are",
    DiscardsModels: "test_it_leaves_the_models_as_they_are",
    LeaksOSErrors: "test_what_the_disk_refuses_to_read_is_an_error_of_storages",
    KnowsWhatItWasToldOnce: "test_what_was_removed_is_not_there",
}

add_tests(globals(), Suite, "make_storage", WRONG)
