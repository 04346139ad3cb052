"""Cores: how many this process can keep busy, by its affinity and by the quotas of its cgroups."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

import msgspec


def usable_cores(root: Path = Path("/")) -> int:
    """The cores that this process may use, at least 1.

    The affinity tells which ones those are. A quota, as containers have it (``limits.cpu`` of
    Kubernetes, ``docker run --cpus``, ``CPUQuota=`` of systemd), leaves all of them in sight and
    allows less time: that of 1.5 cores counts as 2. ``root`` is where ``/proc`` and the mounts of
    cgroups are looked for.
    """
    counts = [len(os.sched_getaffinity(0))]
    # Some sandboxes have no such files, or others.
    with suppress(OSError, ValueError):
        for group in _groups(root):
            counts += map(math.ceil, _quotas(group))
    return max(1, min(counts))


class _Group(msgspec.Struct, frozen=True):
    """The cgroup of this process in one hierarchy, and the folder where that is mounted."""

    mount: Path
    folder: Path
    unified: bool
    """Whether it is of cgroup v2."""


def _groups(root: Path) -> Iterator[_Group]:
    """The cgroups of this process that may limit its CPU time. Raises OSError, ValueError."""
    own = (root / "proc/self/cgroup").read_text()
    mounts = (root / "proc/self/mountinfo").read_text()
    paths: dict[str, str] = {}
    for line in own.splitlines():
        _, controllers, path = line.split(":", 2)
        paths.update(dict.fromkeys(controllers.split(","), path))
    for line in mounts.splitlines():
        of_mount, _, of_system = line.partition(" - ")
        kind, _, options = of_system.split(" ", 2)
        unified = kind == "cgroup2"
        if unified or (kind == "cgroup" and "cpu" in options.split(",")):
            top, at = of_mount.split(" ")[3:5]
            mount = root / at.lstrip("/")
            path = paths.get("" if unified else "cpu", top)
            yield _Group(mount, mount / _below(path, top), unified)


def _below(path: str, top: str) -> PurePosixPath:
    """Where a cgroup is below the one that is mounted.

    A container may see its own cgroup's path from the host's top, but only its own part mounted.
    """
    try:
        return PurePosixPath(path).relative_to(top)
    except ValueError:
        return PurePosixPath()


def _quotas(group: _Group) -> Iterator[float]:
    """The cores of CPU time that the cgroup and those above it allow, where any of them says so."""
    read = _unified_quota if group.unified else _first_quota
    for folder in (group.folder, *group.folder.parents):
        # No such file: nothing is limited here, or the cgroup is the top of all.
        with suppress(OSError, ValueError):
            quota, period = read(folder)
            if quota > 0 and period > 0:
                yield quota / period
        if folder == group.mount:
            return


def _unified_quota(folder: Path) -> tuple[int, int]:
    """Microseconds of CPU time, and in how many; a ValueError without a limit, which is "max"."""
    quota, period = (folder / "cpu.max").read_text().split()
    return int(quota), int(period)


def _first_quota(folder: Path) -> tuple[int, int]:
    """The same of cgroup v1, where -1 is no limit."""
    quota, period = (
        int((folder / f"cpu.cfs_{what}_us").read_text()) for what in ("quota", "period")
    )
    return quota, period
