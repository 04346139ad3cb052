"""The part of Storage's contract about the versions of a model, and pointers to them."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tfaas_core.errors import DoesNotFit, UnknownVersion
from tfaas_core.models.model import ModelVersion
from tfaas_core.models.versions import Pointers
from tfaas_core.storage import Storage
from tfaas_core.testing import storage_processes as processes
from tfaas_core.testing.storage_processes import Shape, fault_of, newest, upload
from tfaas_core.testing.suites.storage.case import StorageCase, live_number, numbers


class VersionsContract(StorageCase):
    """What a storage does with versions."""

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
