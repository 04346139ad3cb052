"""Usable memory: how much one process may take before the kernel has to end some."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tfaas_core.system.resources.cgroups import Cgroup, cgroups

_SHARE = 7 / 8
"""The rest is for the server itself, and for all else."""


def usable_bytes(root: Path = Path("/")) -> int:
    """Seven eighths of the machine's memory, or of what the cgroups of this process leave of it.

    A container has such a limit (``limits.memory`` of Kubernetes, ``docker run --memory``,
    ``MemoryMax=`` of systemd). ``root`` is where cgroups are looked for.
    """
    sizes = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    # Some sandboxes have no such files, or others.
    with suppress(OSError, ValueError):
        for group in cgroups("memory", root):
            sizes += _limits(group)
    return int(min(sizes) * _SHARE)


def _limits(group: Cgroup) -> Iterator[int]:
    name = "memory.max" if group.unified else "memory.limit_in_bytes"
    for folder in group.folders():
        # No such file: the cgroup is the top of all. Or a word: it has no limit.
        with suppress(OSError, ValueError):
            if (limit := int((folder / name).read_text())) > 0:
                yield limit
