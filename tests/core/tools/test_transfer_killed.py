"""Copies between storages that are killed."""

from __future__ import annotations

import time
from pathlib import Path
from random import Random

import pytest

from tests.core.tools.transfers import CROSSING, STORAGES, assert_same, leftovers, silent
from tfaas_core.models.versions import Pointers
from tfaas_core.storage import Storage
from tfaas_core.testing.children import Child, Report, apart
from tfaas_core.testing.storage_processes import MakeStorage, Shape, fault_of, opened, upload
from tfaas_core.testing.tries import tries
from tfaas_core.tools.transfer import Transfer

KILLS = tries(25)


@pytest.mark.parametrize("kind", CROSSING)
def test_a_copy_killed_at_any_moment_leaves_whole_versions_and_goes_on(
    tmp_path: Path, kind: str
) -> None:
    assert apart(kill_copies, STORAGES[kind], tmp_path) > 0


def kill_copies(make: MakeStorage, folder: Path) -> int:
    """Kills copies at random moments, and finishes each; returns how many ended half-way."""
    random = Random(7)
    source, target = opened(make, folder / "source"), opened(make, folder / "target")
    for name in "ab":
        for seed in range(4):
            upload(source, name, f"{seed}".encode(), Shape.FOLDER)
        with source.claim(name) as claim:
            source.point(claim, Pointers((4, 2), {"canary": 3}))
    start_s = time.monotonic()
    copy_all(source, target)
    copy_s = time.monotonic() - start_s
    interrupted = 0
    for _ in range(KILLS):
        for name in "ab":
            with target.claim(name) as claim:
                target.delete(claim)

        def work(report: Report) -> None:
            one, other = opened(make, folder / "source"), opened(make, folder / "target")
            report("ready")
            copy_all(one, other)

        victim = Child(work)
        assert victim.report() == ["ready"]
        time.sleep(random.uniform(0, copy_s))
        victim.kill()
        copied = [version for model in target.list() for version in model.versions]
        there = {version.key: version for model in source.list() for version in model.versions}
        assert all(there[version.key] == version for version in copied)
        assert all(fault_of(target, version) is None for version in copied)
        interrupted += 0 < len(copied) < len(there)
        target.sweep()
        copy_all(source, target)
        assert_same(source, target)
        assert leftovers(folder / "target") == []
    return interrupted


def copy_all(source: Storage, target: Storage) -> None:
    transfer = Transfer(source, target, silent)
    for name in transfer.names():
        transfer.copy(name)
