"""The part of Storage's contract about claims that are leases."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tfaas_core.errors import Busy, StorageUnavailable
from tfaas_core.models.versions import Pointers
from tfaas_core.storage import Claim, Storage
from tfaas_core.testing.children import Child, Report
from tfaas_core.testing.storage_processes import (
    MakeStorage,
    Shape,
    becomes_free,
    fault_of,
    fill,
    newest,
    opened,
    upload,
)
from tfaas_core.testing.suites.storage.case import StorageCase

_CHANGES: dict[str, Callable[[Storage, Claim, Path], object]] = {
    "commit": lambda storage, claim, staging: storage.commit(
        claim, staging, fill(staging, "vk", b"late", Shape.FOLDER)
    ),
    "point": lambda storage, claim, _: storage.point(claim, Pointers((1,))),
    "prune": lambda storage, claim, _: storage.prune(claim, 1),
    "delete": lambda storage, claim, _: storage.delete(claim),
}


class LeasesContract(StorageCase):
    """What becomes of a claim that was not renewed in time."""

    @pytest.mark.parametrize("change", _CHANGES)
    def test_who_lost_its_claim_changes_nothing(
        self, storage: Storage, folder: Path, crossing: None, change: str
    ) -> None:
        if not storage.lease_s:
            pytest.skip("a claim of this storage cannot be lost")
        self.apart(partial(_outrun, change), folder)


def _outrun(change: str, make: MakeStorage, folder: Path) -> None:
    storage = opened(make, folder)
    kept = upload(storage, "vk", b"kept")
    holder = Child(partial(_change_late, change, make, folder))
    assert holder.report() == ["held"]
    try:
        assert becomes_free(storage, "vk")
        stored = upload(storage, "vk", b"stored")
        storage.sweep()
    except BaseException:
        holder.kill()
        raise
    holder.signal(signal.SIGCONT)
    assert holder.finish() == [["refused"]]
    assert newest(storage, "vk") == stored
    assert [fault_of(storage, version) for version in (kept, stored)] == [None, None]


def _change_late(change: str, make: MakeStorage, folder: Path, report: Report) -> None:
    """Stops once it has the claim, and changes something when another process lets it go on."""
    storage = opened(make, folder)
    staging = storage.stage()
    with storage.claim("vk") as claim:
        report("held")
        os.kill(os.getpid(), signal.SIGSTOP)
        try:
            _CHANGES[change](storage, claim, staging)
        except (Busy, StorageUnavailable):
            report("refused")
        else:
            report("changed")
