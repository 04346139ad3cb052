"""How an HTTP worker is confined: the process that reads requests, with storage and plugins."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from tfaas_core.files.temporary_folder import temporary_folder
from tfaas_core.sandbox.landlock import WRITES_SINCE, landlock_version, restrict_writes
from tfaas_core.sandbox.libraries import WRITABLE
from tfaas_core.sandbox.privileges import (
    is_root,
    keep_capabilities_of_workers,
    no_new_privileges,
)
from tfaas_core.sandbox.seccomp import is_there, restrict_calls
from tfaas_core.sandbox.worker_calls import worker_filter


class WorkerCell(msgspec.Struct, frozen=True):
    """``writes``: the files and folders that it changes; None: whatever its user may.

    ``programs``: whether it may start other programs, and send signals to them. ``files`` and
    ``calls``: whether the kernel can restrict them, by Landlock and seccomp.
    """

    writes: tuple[str, ...] | None
    programs: bool
    files: bool = True
    calls: bool = True


def confine_worker(cell: WorkerCell) -> None:
    """Confines this process for good, which has one thread. Raises OSError."""
    no_new_privileges()
    if cell.files:
        restrict_writes(("/",) if cell.writes is None else cell.writes, cell.programs)
    keep_capabilities_of_workers()
    if cell.calls:
        restrict_calls(worker_filter(cell.programs))


def worker_cell(writes: Iterable[Path] | None, programs: bool) -> WorkerCell:
    """As far as this machine can. ``writes``, ``programs``: see WorkerCell."""
    found = worker_parts()
    paths = None if writes is None else (*map(str, writes), temporary_folder(), *WRITABLE)
    return WorkerCell(paths, programs, "files" in found, "calls" in found)


def worker_parts() -> dict[str, str]:
    """Of what the sandbox of HTTP workers is made on this machine, part by part."""
    kept = "at most to reach all files, and to bind all ports" if is_root() else "none"
    found = {"privileges": f"no new ones, and of the capabilities {kept}"}
    if (version := landlock_version()) >= WRITES_SINCE:
        found["files"] = f"Landlock {version}"
    if is_there():
        found["calls"] = "seccomp"
    return found
