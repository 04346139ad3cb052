"""Cgroups: which of them this process is in, of either version, and where their limits are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import msgspec


class Cgroup(msgspec.Struct, frozen=True):
    """The cgroup of this process in one hierarchy, and the folder where that is mounted."""

    mount: Path
    folder: Path
    unified: bool
    """Whether it is of cgroup v2."""

    def folders(self) -> Iterator[Path]:
        """Its own, and those of all cgroups above it, whose limits hold, too."""
        for folder in (self.folder, *self.folder.parents):
            yield folder
            if folder == self.mount:
                return


def cgroups(controller: str, root: Path = Path("/")) -> Iterator[Cgroup]:
    """The cgroups of this process where ``controller``, like ``cpu``, may limit it.

    ``root`` is where ``/proc`` and their mounts are looked for. Raises OSError, ValueError.
    """
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
        if unified or (kind == "cgroup" and controller in options.split(",")):
            top, at = of_mount.split(" ")[3:5]
            mount = root / at.lstrip("/")
            path = paths.get("" if unified else controller, top)
            yield Cgroup(mount, mount / _below(path, top), unified)


def _below(path: str, top: str) -> PurePosixPath:
    """Where a cgroup is below the one that is mounted.

    A container may see its own cgroup's path from the host's top, but only its own part mounted.
    """
    try:
        return PurePosixPath(path).relative_to(top)
    except ValueError:
        return PurePosixPath()
