"""Cores: how many this process can keep busy, by its affinity and by the quotas of its cgroups."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tfaas_core.system.resources.cgroups import Cgroup, cgroups


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
        for group in cgroups("cpu", root):
            counts += map(math.ceil, _quotas(group))
    return max(1, min(counts))


def _quotas(group: Cgroup) -> Iterator[float]:
    """The cores of CPU time that the cgroup and those above it allow, where any of them says so."""
    read = _unified_quota if group.unified else _first_quota
    for folder in group.folders():
        # No such file: nothing is limited here, or the cgroup is the top of all.
        with suppress(OSError, ValueError):
            quota, period = read(folder)
            if quota > 0 and period > 0:
                yield quota / period


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
