"""The part of Storage's contract about storages of the same models, at once or later."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tfaas_core.models.versions import Pointers
from tfaas_core.storage import DefaultChoice, Storage
from tfaas_core.testing import storage_processes as processes
from tfaas_core.testing.storage_processes import Shape, fault_of, newest, upload
from tfaas_core.testing.suites.storage.case import StorageCase, live
from tfaas_core.testing.suites.storage.kills import FEWEST_KILLS_OF_LEASES, kill_at_random


class SharedContract(StorageCase):
    """What several storages have of each other, also if processes are killed."""

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
            self.apart(processes.sweep, folder)
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

    def test_processes_that_change_the_same_names_never_show_half_a_model(
        self, folder: Path, crossing: None
    ) -> None:
        self.apart(processes.change_together, folder)

    def test_a_process_killed_at_any_moment_leaves_whole_models(
        self, folder: Path, crossing: None
    ) -> None:
        rounds = self.apart(kill_at_random, folder)
        assert rounds >= FEWEST_KILLS_OF_LEASES
