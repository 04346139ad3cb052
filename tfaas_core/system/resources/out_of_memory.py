"""Whether the kernel kills processes because there is no memory left."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_LATELY_S = 5.0


class OutOfMemory:
    """Looks, whenever it is asked, at the kernel's count of such kills in this control group."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._counts = list(_counts(root))
        self._seen = self._killed()
        self._grew_s = -_LATELY_S

    def killed_lately(self) -> bool:
        """Whether the count has grown within the last seconds, as far as the calls show it."""
        now_s = time.monotonic()
        killed = self._killed()
        if killed > self._seen:
            self._seen, self._grew_s = killed, now_s
        return now_s - self._grew_s < _LATELY_S

    def _killed(self) -> int:
        return sum(_oom_kills(file) for file in self._counts)


def _counts(root: Path) -> Iterator[Path]:
    """The files of the control groups that this process is in, of either version."""
    groups = root / "sys/fs/cgroup"
    with suppress(OSError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            _number, controllers, path = line.split(":", 2)
            if controllers == "":
                yield from _first(groups, path, "memory.events")
            elif controllers == "memory":
                yield from _first(groups / "memory", path, "memory.oom_control")


def _first(groups: Path, path: str, name: str) -> list[Path]:
    # In a container, the group's own folder may be mounted as the root of all.
    places = (groups / path.lstrip("/") / name, groups / name)
    return [file for file in places if file.is_file()][:1]


def _oom_kills(file: Path) -> int:
    with suppress(OSError, ValueError):
        for line in file.read_text().splitlines():
            name, _, number = line.partition(" ")
            if name == "oom_kill":
                return int(number)
    return 0
