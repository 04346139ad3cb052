"""Storages that are wrong, each with the test of the suite that must fail."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from tfaas_backends.storages.filesystem.storage import FilesystemStorage

from tests.core.testing.outcomes import add_tests
from tfaas_core.errors import Busy
from tfaas_core.models.model import ModelVersion
from tfaas_core.models.versions import Model, Pointers
from tfaas_core.storage import MODEL, Claim, DefaultChoice, Storage, removed
from tfaas_core.testing.fakes import FakeStorage
from tfaas_core.testing.storage import StorageContract


class StagesWithAnOSError(FilesystemStorage):
    def stage(self) -> Path:
        return Path(tempfile.mkdtemp(dir=self._root / ".staging"))


class ReadsWithAnOSError(FilesystemStorage):
    def default(self) -> DefaultChoice | None:
        (self._root / "notes").open("a").close()
        return super().default()


class ClaimsWithAnOSError(FilesystemStorage):
    @contextmanager
    def claim(self, name: str) -> Iterator[Claim]:
        with super().claim(name) as claim:
            (self._root / ".claimed").open("a").close()
            yield claim


class SyncsNothing(FilesystemStorage):
    def commit(
        self, claim: Claim, staging: Path, version: ModelVersion, live: bool = True
    ) -> ModelVersion:
        with mock.patch("os.fsync", return_value=None):
            return super().commit(claim, staging, version, live)


class SyncsFilesAlone(FilesystemStorage):
    """The folders that name them are not on the disk."""

    def commit(
        self, claim: Claim, staging: Path, version: ModelVersion, live: bool = True
    ) -> ModelVersion:
        really = os.fsync

        def fsync(descriptor: int) -> None:
            if not os.path.isdir(f"/proc/self/fd/{descriptor}"):
                really(descriptor)

        with mock.patch("os.fsync", fsync):
            return super().commit(claim, staging, version, live)


class ChecksNoChecksum(FilesystemStorage):
    def artifact(self, version: ModelVersion) -> Path:
        path = self._root / version.name / str(version.version) / MODEL
        if not path.exists():
            raise removed(version)
        return path


class VerifiesNothing(FilesystemStorage):
    def verify(self, version: ModelVersion) -> None:
        pass


class ReadsWholeFiles(FilesystemStorage):
    def commit(
        self, claim: Claim, staging: Path, version: ModelVersion, live: bool = True
    ) -> ModelVersion:
        for path in staging.rglob("*"):
            if path.is_file():
                path.write_bytes(path.read_bytes())
        return super().commit(claim, staging, version, live)


class GivesNoOtherNumber(FilesystemStorage):
    """A number that was deleted is used again."""

    def commit(
        self, claim: Claim, staging: Path, version: ModelVersion, live: bool = True
    ) -> ModelVersion:
        (self._root / claim.name / "pointers.json").unlink(missing_ok=True)
        return super().commit(claim, staging, version, live)


class SharesItsClaims(FilesystemStorage):
    @contextmanager
    def claim(self, name: str) -> Iterator[Claim]:
        try:
            with super().claim(name) as claim:
                yield claim
        except Busy:
            yield Claim(name)


class KeepsItsStaging(FilesystemStorage):
    def commit(
        self, claim: Claim, staging: Path, version: ModelVersion, live: bool = True
    ) -> ModelVersion:
        copy = self.stage()
        shutil.copytree(staging, copy, dirs_exist_ok=True)
        return super().commit(claim, copy, version, live)


class KeepsACopyOfAll(FilesystemStorage):
    def commit(
        self, claim: Claim, staging: Path, version: ModelVersion, live: bool = True
    ) -> ModelVersion:
        shutil.copytree(staging, self._root / ".copies" / staging.name)
        return super().commit(claim, staging, version, live)


class StagesForEverybody(FilesystemStorage):
    def stage(self) -> Path:
        staging = super().stage()
        staging.chmod(0o755)
        return staging


class ListsAsItComes(FilesystemStorage):
    def list(self) -> list[Model]:
        return super().list()[::-1]


class PrunesTheLabelled(FilesystemStorage):
    def prune(self, claim: Claim, keep: int) -> bool:
        model = self.model(claim.name)
        if model is not None:
            self.point(claim, Pointers((model.live.version,)))
        return super().prune(claim, keep)


class IsAlwaysTheSame(FilesystemStorage):
    def revision(self) -> str:
        return "1"


class ForgetsAll(FakeStorage):
    """It lives as long as its process."""


WRONG: dict[type[Storage], str] = {
    StagesWithAnOSError: "test_what_the_disk_refuses_to_change_is_an_error_of_storages",
    ReadsWithAnOSError: "test_what_the_disk_refuses_to_read_is_an_error_of_storages",
    ClaimsWithAnOSError: "test_a_claim_that_the_disk_refuses_is_an_error_of_storages",
    SyncsNothing: "test_a_committed_version_survives_a_power_cut",
    SyncsFilesAlone: "test_a_committed_version_survives_a_power_cut",
    ChecksNoChecksum: "test_a_damaged_file_is_not_given_out",
    VerifiesNothing: "test_a_damaged_file_is_found_by_verify",
    ReadsWholeFiles: "test_a_large_file_is_never_in_memory_as_a_whole",
    GivesNoOtherNumber: "test_one_version_may_be_deleted_and_its_number_is_not_used_again",
    SharesItsClaims: "test_a_name_is_claimed_once_at_a_time",
    KeepsItsStaging: "test_commit_consumes_the_staging_folder",
    KeepsACopyOfAll: "test_what_is_deleted_or_discarded_leaves_no_file",
    StagesForEverybody: "test_staging_folders_are_new_empty_and_private",
    ListsAsItComes: "test_the_list_has_the_newest_of_each_name_sorted_by_name",
    PrunesTheLabelled: "test_pointers_are_set_as_given_and_all_that_they_name_stays",
    IsAlwaysTheSame: "test_the_revision_tells_of_each_change_and_of_nothing_else",
    ForgetsAll: "test_what_was_committed_is_there_after_a_restart",
}

add_tests(globals(), StorageContract, "make_storage", WRONG)
