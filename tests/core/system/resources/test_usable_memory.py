"""The memory that a model may take is a part of what its container leaves, by either version."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.core.system.resources.test_cores import V2, machine
from tfaas_core.system.resources.usable_memory import usable_bytes

GIB = 1 << 30
V1 = "36 25 0:31 {top} /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
UNLIMITED = "9223372036854771712"


@pytest.fixture(autouse=True)
def sixteen_gibibytes(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 16 * GIB // 4096}
    monkeypatch.setattr(os, "sysconf", found.__getitem__)


@pytest.mark.parametrize("limit", ["max", "rubbish", "", "0", UNLIMITED])
def test_without_a_limit_it_is_seven_eighths_of_the_machine(tmp_path: Path, limit: str) -> None:
    files = {"sys/fs/cgroup/memory.max": limit}
    assert usable_bytes(machine(tmp_path, "0::/\n", V2.format(top="/"), files)) == 14 * GIB


def test_the_least_limit_of_all_cgroups_above_counts(tmp_path: Path) -> None:
    files = {
        "sys/fs/cgroup/pod/memory.max": str(8 * GIB),
        "sys/fs/cgroup/pod/tfaas/memory.max": "max",
    }
    root = machine(tmp_path, "0::/pod/tfaas\n", V2.format(top="/"), files)
    assert usable_bytes(root) == 7 * GIB


def test_so_it_is_with_the_first_version(tmp_path: Path) -> None:
    files = {
        "sys/fs/cgroup/memory/memory.limit_in_bytes": UNLIMITED,
        "sys/fs/cgroup/memory/pod/memory.limit_in_bytes": str(4 * GIB),
    }
    root = machine(tmp_path, "4:memory:/pod\n", V1.format(top="/"), files)
    assert usable_bytes(root) == 7 * GIB // 2


def test_a_machine_that_tells_nothing_has_all_its_memory(tmp_path: Path) -> None:
    assert usable_bytes(tmp_path) == 14 * GIB
