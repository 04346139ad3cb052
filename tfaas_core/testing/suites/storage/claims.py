"""The part of Storage's contract about claims."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tfaas_core.errors import Busy, DoesNotFit
from tfaas_core.storage import Storage
from tfaas_core.testing import storage_processes as processes
from tfaas_core.testing.storage_processes import becomes_free, newest, upload
from tfaas_core.testing.suites.storage.case import StorageCase, live


class ClaimsContract(StorageCase):
    """Who may change a name."""

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
                # A lease that was late to be renewed is not given up: it ends.
                assert becomes_free(storage, "vk")

    @pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", ".staging", "x" * 129, "a\0b"])
    def test_what_cannot_name_a_model_is_not_there_and_not_claimed(
        self, storage: Storage, name: str
    ) -> None:
        assert newest(storage, name) is None
        with pytest.raises(DoesNotFit), storage.claim(name):
            pass

    def test_claims_exclude_other_processes(self, folder: Path, crossing: None) -> None:
        self.apart(processes.claims_exclude_processes, folder)

    def test_processes_that_contend_for_a_claim_never_share_it(
        self, folder: Path, crossing: None
    ) -> None:
        self.apart(processes.contend, folder)

    def test_a_killed_process_holds_no_claim(self, folder: Path, crossing: None) -> None:
        self.apart(processes.killed_holder_frees_claim, folder)
