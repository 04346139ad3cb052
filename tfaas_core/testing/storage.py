"""The contract of Storage as tests: each implementation subclasses ``StorageContract``."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

import msgspec
import pytest

from tfaas_core.errors import Busy, DoesNotFit, UnknownVersion
from tfaas_core.model import ModelVersion
from tfaas_core.storage import DefaultChoice, Storage
from tfaas_core.testing import storage_processes as processes
from tfaas_core.testing.children import apart
from tfaas_core.testing.storage_processes import MakeStorage, Shape, fault_of, newest, upload
from tfaas_core.versions import Pointers


def live(storage: Storage) -> list[ModelVersion]:
    """The live version of every model."""
    return [model.live for model in storage.list()]


def numbers(storage: Storage, name: str) -> list[int]:
    """The numbers of the versions of a model, in the order that they are listed in."""
    model = storage.model(name)
    return [] if model is None else [version.version for version in model.versions]


def live_number(storage: Storage, name: str) -> int:
    """The number of the live version of a model; 0 where there is no such model."""
    model = storage.model(name)
    return 0 if model is None else model.live.version


class StorageContract:
    """What every Storage does. Subclass it as ``Test...``, and set ``make_storage``."""

    make_storage: ClassVar[MakeStorage]
    """Makes a storage, not open yet, that keeps its models under a folder.

    Called with one folder several times, in other processes too, it must make storages of the same
    models: so it is a class or function that can be pickled.
    """

    crosses_processes: ClassVar[bool] = True
    """Whether processes share such a storage, and it outlives them."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return tmp_path / "storage"

    @pytest.fixture
    def storage(self, folder: Path) -> Iterator[Storage]:
        storage = type(self).make_storage(folder)
        storage.open()
        yield storage
        storage.close()

    @pytest.fixture
    def crossing(self) -> None:
        if not self.crosses_processes:
            pytest.skip("this storage belongs to one process")

    def test_a_new_storage_is_empty(self, storage: Storage) -> None:
        assert storage.list() == []
        assert storage.model("vk") is None

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

    def test_prune_keeps_the_newest_and_numbers_go_on(self, storage: Storage) -> None:
        stored = [upload(storage, "vk", f"{n}".encode()) for n in range(4)]
        with storage.claim("vk") as claim:
            storage.prune(claim, keep=2)
        assert [v.version for v in stored if fault_of(storage, v) is None] == [3, 4]
        assert newest(storage, "vk") == stored[3]
        assert upload(storage, "vk").version == 5

    def test_prune_to_one_does_not_reuse_a_number(self, storage: Storage) -> None:
        for number in (1, 2, 3):
            assert upload(storage, "vk", keep=1).version == number

    def test_prune_leaves_other_names_alone(self, storage: Storage) -> None:
        other = [upload(storage, "other") for _ in range(3)]
        upload(storage, "vk", keep=1)
        assert all(fault_of(storage, version) is None for version in other)

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

    def test_versions_are_listed_by_number_and_the_last_committed_is_live(
        self, storage: Storage
    ) -> None:
        stored = [upload(storage, "vk", f"{n}".encode()) for n in range(12)]
        model = storage.model("vk")
        assert model is not None
        assert list(model.versions) == stored
        assert model.live == model.newest == stored[-1]
        assert model.pointers == Pointers(tuple(range(1, 13)))

    def test_pointers_are_set_as_given_and_all_that_they_name_stays(
        self, storage: Storage, folder: Path
    ) -> None:
        for _ in range(4):
            upload(storage, "vk")
        pointers = Pointers((1, 4, 2), {"canary": 1, "stable": 4})
        with storage.claim("vk") as claim:
            storage.point(claim, pointers)
            model = storage.model("vk")
            assert model is not None
            assert (model.live.version, model.pointers) == (2, pointers)
            assert storage.list() == [model]
            assert storage.prune(claim, keep=1)
            assert not storage.prune(claim, keep=1)
        assert numbers(storage, "vk") == [1, 2, 4]
        assert live_number(storage, "vk") == 2

    def test_an_upload_after_a_roll_back_is_live_and_labels_stay(self, storage: Storage) -> None:
        for _ in range(3):
            upload(storage, "vk")
        with storage.claim("vk") as claim:
            storage.point(claim, Pointers((1, 2), {"canary": 3}))
        assert upload(storage, "vk").version == 4
        model = storage.model("vk")
        assert model is not None
        assert model.pointers == Pointers((1, 2, 4), {"canary": 3})
        assert model.before_live().version == 2

    def test_a_version_may_be_stored_without_going_live(self, storage: Storage) -> None:
        assert self._stored_aside(storage, "vk").version == 1
        assert live_number(storage, "vk") == 1
        assert self._stored_aside(storage, "vk").version == 2
        assert live_number(storage, "vk") == 1
        upload(storage, "vk")
        assert self._stored_aside(storage, "vk").version == 4
        assert (numbers(storage, "vk"), live_number(storage, "vk")) == ([1, 2, 3, 4], 3)

    def test_a_number_may_be_given_where_it_is_higher_than_all(self, storage: Storage) -> None:
        assert self._stored_aside(storage, "vk", number=3).version == 3
        assert self._stored_aside(storage, "vk", number=7).version == 7
        for number in (1, 3, 5, 7):
            with pytest.raises(DoesNotFit, match="7"):
                self._stored_aside(storage, "vk", number=number)
        assert upload(storage, "vk").version == 8
        assert (numbers(storage, "vk"), live_number(storage, "vk")) == ([3, 7, 8], 8)

    def _stored_aside(self, storage: Storage, name: str, number: int = 0) -> ModelVersion:
        staging = storage.stage()
        given = processes.fill(staging, name, b"weights", Shape.FILE)
        given = msgspec.structs.replace(given, version=number)
        try:
            with storage.claim(name) as claim:
                return storage.commit(claim, staging, given, live=False)
        finally:
            storage.discard(staging)

    def test_one_version_may_be_deleted_and_its_number_is_not_used_again(
        self, storage: Storage
    ) -> None:
        stored = [upload(storage, "vk", f"{n}".encode()) for n in range(3)]
        with storage.claim("vk") as claim:
            assert storage.delete_version(claim, 1)
            assert not storage.delete_version(claim, 1)
            storage.point(claim, Pointers((2,)))
            assert storage.delete_version(claim, 3)
            assert not storage.delete_version(claim, 9)
        assert numbers(storage, "vk") == [2]
        with pytest.raises(UnknownVersion, match="vk/3"):
            storage.artifact(stored[2])
        assert fault_of(storage, stored[1]) is None
        assert upload(storage, "vk").version == 4

    def test_nothing_is_pruned_or_deleted_of_what_is_not_there(self, storage: Storage) -> None:
        with storage.claim("vk") as claim:
            assert not storage.prune(claim, keep=1)
            assert not storage.delete_version(claim, 1)
        assert storage.list() == []

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

    def test_a_claim_alone_stores_nothing(self, storage: Storage) -> None:
        with storage.claim("vk") as claim:
            assert claim.name == "vk"
            assert newest(storage, "vk") is None
            assert storage.list() == []

    def test_a_name_is_claimed_once_at_a_time(self, storage: Storage) -> None:
        with storage.claim("vk"):
            with pytest.raises(Busy, match="vk"), storage.claim("vk"):
                pass
            with storage.claim("other"):
                pass
        with storage.claim("vk"):
            pass

    def test_a_claim_ends_with_its_block_whatever_ends_that(self, storage: Storage) -> None:
        with pytest.raises(ZeroDivisionError), storage.claim("vk"):
            raise ZeroDivisionError
        with storage.claim("vk"):
            pass

    def test_reading_needs_no_claim(self, storage: Storage) -> None:
        stored = upload(storage, "vk")
        with storage.claim("vk"):
            assert newest(storage, "vk") == stored
            assert live(storage) == [stored]

    def test_only_one_of_many_threads_gets_a_claim(self, storage: Storage) -> None:
        threads = 8
        barrier = threading.Barrier(threads)

        def attempt(_: int) -> bool:
            barrier.wait()
            try:
                with storage.claim("vk"):
                    barrier.wait()
                    return True
            except Busy:
                barrier.wait()
                return False

        with ThreadPoolExecutor(threads) as pool:
            for _ in range(20):
                assert sum(pool.map(attempt, range(threads))) == 1

    @pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", ".staging", "x" * 129, "a\0b"])
    def test_what_cannot_name_a_model_is_not_there_and_not_claimed(
        self, storage: Storage, name: str
    ) -> None:
        assert newest(storage, name) is None
        with pytest.raises(DoesNotFit), storage.claim(name):
            pass

    def test_two_storages_of_a_folder_see_each_others_changes_at_once(
        self, storage: Storage, folder: Path, crossing: None
    ) -> None:
        other = type(self).make_storage(folder)
        other.open()
        for turn in range(30):
            stored = upload(storage, "vk", f"{turn}".encode(), keep=2)
            assert newest(other, "vk") == stored
            assert live(other) == [stored]
            if turn % 3 == 2:
                with other.claim("vk") as claim:
                    assert other.delete(claim)
                assert storage.list() == []
        other.close()

    def test_one_storage_waits_for_what_another_changes(
        self, storage: Storage, folder: Path, crossing: None
    ) -> None:
        other = type(self).make_storage(folder)
        other.open()
        for change in (
            lambda: upload(other, "vk"),
            lambda: other.choose_default(DefaultChoice("vk", "2026-01-01")),
            lambda: upload(other, "vk", keep=1),
        ):
            seen = storage.revision()
            with ThreadPoolExecutor(1) as pool:
                waiting = pool.submit(storage.wait_for_change, seen, 60.0)
                change()
                assert waiting.result(60.0) != seen
        other.close()

    def test_a_sweep_leaves_what_another_storage_is_doing(
        self, storage: Storage, folder: Path, crossing: None
    ) -> None:
        staging = storage.stage()
        given = processes.fill(staging, "vk", b"weights", Shape.FOLDER)
        with storage.claim("vk") as claim:
            apart(processes.sweep, type(self).make_storage, folder)
            stored = storage.commit(claim, staging, given)
        assert fault_of(storage, stored) is None

    def test_pointers_are_there_after_a_restart(
        self, storage: Storage, folder: Path, crossing: None
    ) -> None:
        for _ in range(3):
            upload(storage, "vk")
        pointers = Pointers((3, 1), {"canary": 2})
        with storage.claim("vk") as claim:
            storage.point(claim, pointers)
        storage.close()
        again = type(self).make_storage(folder)
        again.open()
        model = again.model("vk")
        assert model is not None
        assert model.pointers == pointers
        assert upload(again, "vk").version == 4
        again.close()

    def test_what_was_committed_is_there_after_a_restart(
        self, storage: Storage, folder: Path, crossing: None
    ) -> None:
        stored = [upload(storage, name) for name in ("a", "b")]
        staging = storage.stage()
        storage.close()
        again = type(self).make_storage(folder)
        again.open()
        again.sweep()
        assert live(again) == stored
        assert all(fault_of(again, version) is None for version in stored)
        assert not staging.exists()
        again.close()

    def test_claims_exclude_other_processes(self, folder: Path, crossing: None) -> None:
        apart(processes.claims_exclude_processes, type(self).make_storage, folder)

    def test_processes_that_contend_for_a_claim_never_share_it(
        self, folder: Path, crossing: None
    ) -> None:
        apart(processes.contend, type(self).make_storage, folder)

    def test_a_killed_process_holds_no_claim(self, folder: Path, crossing: None) -> None:
        apart(processes.killed_holder_frees_claim, type(self).make_storage, folder)

    def test_processes_that_change_the_same_names_never_show_half_a_model(
        self, folder: Path, crossing: None
    ) -> None:
        apart(processes.change_together, type(self).make_storage, folder)

    def test_a_process_killed_at_any_moment_leaves_whole_models(
        self, folder: Path, crossing: None
    ) -> None:
        rounds = apart(processes.kill_at_random, type(self).make_storage, folder)
        assert rounds >= processes.FEWEST_KILLS
