"""The part of Storage's contract about models, their files and the default one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from tfaas_core.errors import UnknownVersion
from tfaas_core.models.versions import Pointers
from tfaas_core.storage import DefaultChoice, Storage
from tfaas_core.testing import storage_processes as processes
from tfaas_core.testing.storage_processes import Shape, fault_of, newest, upload
from tfaas_core.testing.suites.storage.case import StorageCase, live


class ModelsContract(StorageCase):
    """What a storage does with models."""

    def test_a_new_storage_is_empty(self, storage: Storage) -> None:
        assert storage.list() == []
        assert storage.model("vk") is None

    def test_examining_a_storage_that_can_be_opened_finds_and_changes_nothing(
        self, folder: Path
    ) -> None:
        storage = type(self).make_storage(folder)
        assert storage.examine() == []
        assert not folder.exists()
        storage.close()

    def test_versions_count_from_one(self, storage: Storage) -> None:
        assert [upload(storage, "vk").version for _ in range(3)] == [1, 2, 3]
        assert upload(storage, "other").version == 1

    def test_what_commit_returns_is_what_was_given_with_its_number(self, storage: Storage) -> None:
        staging = storage.stage()
        given = processes.fill(staging, "vk", b"weights", Shape.FILE)
        with storage.claim("vk") as claim:
            stored = storage.commit(claim, staging, given)
        assert stored == msgspec.structs.replace(given, version=1)
        assert newest(storage, "vk") == stored

    def test_newest_is_the_last_committed(self, storage: Storage) -> None:
        for seed in (b"one", b"two", b"three"):
            stored = upload(storage, "vk", seed)
            assert newest(storage, "vk") == stored
            assert live(storage) == [stored]
            assert fault_of(storage, stored) is None

    def test_the_list_has_the_newest_of_each_name_sorted_by_name(self, storage: Storage) -> None:
        for name in ("b", "a", "C", "b", "a.1", "a"):
            upload(storage, name)
        listed = [(record.name, record.version) for record in live(storage)]
        assert listed == [("C", 1), ("a", 2), ("a.1", 1), ("b", 2)]

    def test_a_name_may_look_like_a_number_or_a_file(self, storage: Storage) -> None:
        names = ["1", "2", "model", "version.json", "x" * 128]
        for name in names:
            upload(storage, name)
        assert [record.name for record in live(storage)] == sorted(names)

    @pytest.mark.parametrize("shape", list(Shape))
    def test_an_artifact_has_the_bytes_that_were_staged(
        self, storage: Storage, shape: Shape
    ) -> None:
        first = upload(storage, "vk", b"one", shape)
        second = upload(storage, "vk", b"two", shape)
        assert fault_of(storage, first) is None
        assert fault_of(storage, second) is None

    def test_staging_folders_are_new_empty_and_private(self, storage: Storage) -> None:
        one, two = storage.stage(), storage.stage()
        assert one != two
        for staging in (one, two):
            assert list(staging.iterdir()) == []
            assert staging.stat().st_mode & 0o777 == 0o700

    def test_commit_consumes_the_staging_folder(self, storage: Storage) -> None:
        staging = storage.stage()
        given = processes.fill(staging, "vk", b"weights", Shape.FILE)
        with storage.claim("vk") as claim:
            storage.commit(claim, staging, given)
        assert not staging.exists()

    def test_discard_removes_the_staging_folder_and_may_come_twice(self, storage: Storage) -> None:
        staging = storage.stage()
        processes.fill(staging, "vk", b"weights", Shape.FOLDER)
        storage.discard(staging)
        assert not staging.exists()
        storage.discard(staging)
        assert storage.list() == []

    def test_delete_tells_whether_there_was_such_a_model(self, storage: Storage) -> None:
        stored = upload(storage, "vk")
        kept = upload(storage, "kept")
        with storage.claim("vk") as claim:
            assert storage.delete(claim) is True
        assert live(storage) == [kept]
        assert newest(storage, "vk") is None
        with pytest.raises(UnknownVersion, match="vk/1"):
            storage.artifact(stored)
        with storage.claim("vk") as claim:
            assert storage.delete(claim) is False

    def test_a_deleted_name_starts_anew(self, storage: Storage) -> None:
        for seed in (b"one", b"two"):
            stored = upload(storage, "vk", seed)
            assert stored.version == 1
            assert newest(storage, "vk") == stored
            with storage.claim("vk") as claim:
                storage.delete(claim)

    def test_what_is_deleted_or_discarded_leaves_no_file(
        self, storage: Storage, folder: Path
    ) -> None:
        counts = []
        for _ in range(4):
            for shape in Shape:
                upload(storage, "vk", shape=shape)
            with storage.claim("vk") as claim:
                storage.delete(claim)
            counts.append(sum(path.is_file() for path in folder.rglob("*")))
        assert counts[-1] <= counts[1], f"files: {counts}"

    def test_the_revision_tells_of_each_change_and_of_nothing_else(self, storage: Storage) -> None:
        seen = {storage.revision()}

        def changes() -> bool:
            before = len(seen)
            seen.add(storage.revision())
            return len(seen) > before

        for _ in range(2):
            upload(storage, "vk")
            assert changes()
        with storage.claim("vk") as claim:
            seen.add(storage.revision())
            storage.point(claim, Pointers((2,), {"canary": 1}))
            assert changes()
            storage.delete_version(claim, 1)
            assert changes()
            storage.list()
            storage.model("vk")
            assert not changes()
            storage.delete(claim)
            assert changes()
        seen.add(storage.revision())
        storage.choose_default(DefaultChoice("vk", "2026-01-01"))
        assert changes()

    def test_waiting_for_a_change_ends_with_it_or_with_its_time(
        self, storage: Storage, folder: Path
    ) -> None:
        seen = storage.revision()
        assert storage.wait_for_change(seen, 0.01) == seen
        assert storage.wait_for_change("another", 60.0) == seen
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(storage.wait_for_change, seen, 60.0)
            upload(storage, "vk")
            assert waiting.result(60.0) != seen

    def test_a_chosen_default_is_kept_and_replaced(self, storage: Storage) -> None:
        assert storage.default() is None
        for choice in (DefaultChoice("vk", "2026-01-01"), DefaultChoice("x", "2026-01-02")):
            storage.choose_default(choice)
            assert storage.default() == choice
        assert storage.list() == []
