"""The cores that a container may use are those of its quota, by either version of cgroups."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tfaas_core.settings.tables import Server
from tfaas_core.system.resources.cores import usable_cores

V2 = "35 25 0:30 {top} /sys/fs/cgroup rw,nosuid - cgroup2 cgroup rw\n"
V1 = "36 25 0:31 {top} /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
OTHER = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))


def machine(root: Path, own: str, mounts: str, files: dict[str, str]) -> Path:
    """``/proc`` and ``/sys`` of a machine, below ``root``."""
    proc = {"proc/self/cgroup": own, "proc/self/mountinfo": OTHER + mounts}
    for name, text in {**proc, **files}.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


@pytest.mark.parametrize(
    ("quota", "count"),
    [
        ("200000 100000", 2),
        ("150000 100000", 2),
        ("25000 100000", 1),
        ("1600000 100000", 8),
        ("max 100000", 8),
        ("rubbish", 8),
        ("", 8),
        ("100000 0", 8),
    ],
)
def test_a_container_of_cgroup_v2_has_the_cores_of_its_quota(
    tmp_path: Path, quota: str, count: int
) -> None:
    files = {"sys/fs/cgroup/cpu.max": quota}
    assert usable_cores(machine(tmp_path, "0::/\n", V2.format(top="/"), files)) == count


def test_the_least_quota_of_all_cgroups_above_counts(tmp_path: Path) -> None:
    files = {
        "sys/fs/cgroup/system.slice/cpu.max": "300000 100000",
        "sys/fs/cgroup/system.slice/tfaas.service/cpu.max": "max 100000",
    }
    own = "0::/system.slice/tfaas.service\n"
    assert usable_cores(machine(tmp_path, own, V2.format(top="/"), files)) == 3


@pytest.mark.parametrize("top", ["/", "/kubepods/pod1/abc"])
@pytest.mark.parametrize(("quota", "count"), [("250000", 3), ("-1", 8)])
def test_a_container_of_cgroup_v1_has_the_cores_of_its_quota(
    tmp_path: Path, top: str, quota: str, count: int
) -> None:
    """Whether it sees all cgroups of its host, or only its own."""
    folder = Path("sys/fs/cgroup/cpu,cpuacct") / ("kubepods/pod1/abc" if top == "/" else "")
    files = {
        str(folder / "cpu.cfs_quota_us"): quota + "\n",
        str(folder / "cpu.cfs_period_us"): "100000\n",
    }
    own = "3:cpuset:/\n2:cpu,cpuacct:/kubepods/pod1/abc\n1:name=systemd:/x:y\n0::/\n"
    assert usable_cores(machine(tmp_path, own, V1.format(top=top), files)) == count


def test_a_cgroup_outside_of_what_is_mounted_counts_by_the_mounts_own_quota(
    tmp_path: Path,
) -> None:
    files = {"sys/fs/cgroup/cpu.max": "100000 100000"}
    own = "0::/../elsewhere\n"
    assert usable_cores(machine(tmp_path, own, V2.format(top="/docker/abc"), files)) == 1


def test_without_cgroups_the_affinity_counts(tmp_path: Path) -> None:
    assert usable_cores(tmp_path) == 8
    assert usable_cores(machine(tmp_path, "rubbish\n", "more of it\n", {})) == 8


def test_the_http_workers_are_as_many_unless_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tfaas_core.settings.tables.usable_cores", lambda: 5)
    assert (Server().worker_count, Server(workers=3).worker_count) == (5, 3)
