"""Storages whose claims are leases: a right one, and wrong ones, with the test that must fail."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tfaas_backends.storages.filesystem.storage import FilesystemStorage

from tests.core.testing.outcomes import add_tests
from tfaas_core.errors import Busy
from tfaas_core.local_disk.staging import new_token
from tfaas_core.models.model import ModelVersion, check_name
from tfaas_core.models.versions import Pointers
from tfaas_core.storage import Claim, Storage
from tfaas_core.testing.suites.storage.claims import ClaimsContract
from tfaas_core.testing.suites.storage.leases import LeasesContract


class Leased(Claim, frozen=True):
    """A claim; ``token`` is what its lease says of its holder."""

    token: str


class Suite(ClaimsContract, LeasesContract):
    """What may go wrong with leases."""


class Leases(FilesystemStorage):
    """A lease is a file beside the folder, as old as it was renewed.

    The claims that the folder itself has are taken for a moment, to change a lease or a model.
    """

    lease_s = 1.5

    @contextmanager
    def claim(self, name: str) -> Iterator[Claim]:
        check_name(name)
        token, ended = new_token(), threading.Event()
        with super().claim(name):
            if not self._is_free(self._lease(name)):
                raise Busy(f"model {name!r} is claimed")
            self._lease(name).write_text(token)
        threading.Thread(target=self._renew, args=(name, token, ended), daemon=True).start()
        try:
            yield Leased(name, token)
        finally:
            ended.set()
            with super().claim(name):
                if self._is_held(name, token):
                    self._lease(name).unlink()

    def commit(
        self, claim: Claim, staging: Path, version: ModelVersion, live: bool = True
    ) -> ModelVersion:
        with self._changing(claim) as own:
            return super().commit(own, staging, version, live)

    def point(self, claim: Claim, pointers: Pointers) -> None:
        with self._changing(claim) as own:
            super().point(own, pointers)

    def prune(self, claim: Claim, keep: int) -> bool:
        with self._changing(claim) as own:
            return super().prune(own, keep)

    def delete(self, claim: Claim) -> bool:
        with self._changing(claim) as own:
            return super().delete(own)

    @contextmanager
    def _changing(self, claim: Claim) -> Iterator[Claim]:
        assert isinstance(claim, Leased)
        with super().claim(claim.name) as own:
            self._check(claim)
            yield own

    def _check(self, claim: Leased) -> None:
        if not self._is_held(claim.name, claim.token):
            raise Busy(f"the claim of model {claim.name!r} was lost")

    def _renew(self, name: str, token: str, ended: threading.Event) -> None:
        while not ended.wait(self.lease_s / 5):
            with suppress(FileNotFoundError):  # the claim has just ended
                if self._is_held(name, token):
                    os.utime(self._lease(name))

    def _lease(self, name: str) -> Path:
        return self._root.with_name(f"{self._root.name}-lease-{name}")

    def _is_free(self, lease: Path) -> bool:
        try:
            return time.time() - lease.stat().st_mtime > self.lease_s - 0.5
        except FileNotFoundError:
            return True

    def _is_held(self, name: str, token: str) -> bool:
        try:
            return self._lease(name).read_text() == token
        except FileNotFoundError:
            return False


class TrustsItsClaim(Leases):
    """It looks only once whether the lease is its own."""

    def _check(self, claim: Leased) -> None:
        pass


class RenewsNothing(Leases):
    def _renew(self, name: str, token: str, ended: threading.Event) -> None:
        pass


class ExpiresNever(Leases):
    def _is_free(self, lease: Path) -> bool:
        return not lease.exists()


WRONG: dict[type[Storage], str] = {
    TrustsItsClaim: "test_who_lost_its_claim_changes_nothing",
    RenewsNothing: "test_claims_exclude_other_processes",
    ExpiresNever: "test_a_killed_process_holds_no_claim",
}


class TestRight(Suite):
    make_storage = Leases


add_tests(globals(), Suite, "make_storage", WRONG)
