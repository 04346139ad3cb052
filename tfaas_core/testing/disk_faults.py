"""Disk faults: what a storage asks of the disk, and a disk that refuses one of these."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

_SYNCS = ("fsync", "fdatasync")


class Disk:
    """What is asked of the files below ``folder``: of each request its name, like ``os.rename``.

    Request number ``refused`` is refused with ``errno``; None: none is.
    """

    def __init__(self, folder: Path, refused: int | None = None, errno: int = 0) -> None:
        self._folder = str(folder)
        self._refused = refused
        self._errno = errno
        self.asked: list[str] = []
        self.synced: dict[int, int] = {}
        """Files and folders that were brought to the disk, by inode, each with how much had been
        asked when it was last."""

    @property
    def has_refused(self) -> bool:
        """Whether there was a request number ``refused``."""
        return self._refused is not None and self._refused < len(self.asked)

    def hear(self, request: str, arguments: tuple[object, ...]) -> None:
        """Takes note of a request, and refuses it if it is the one."""
        if any(self._is_below(path) for path in arguments[:2]):
            self.asked.append(request)
            if len(self.asked) - 1 == self._refused:
                raise OSError(self._errno, os.strerror(self._errno))

    def sync(self, descriptor: int, really: Callable[[int], None]) -> None:
        """As ``os.fsync``."""
        self.hear("fsync", (os.readlink(f"/proc/self/fd/{descriptor}"),))
        really(descriptor)
        self.synced[os.fstat(descriptor).st_ino] = len(self.asked)

    def _is_below(self, path: object) -> bool:
        return isinstance(path, str | os.PathLike) and os.fsdecode(path).startswith(self._folder)


@contextmanager
def watched(disk: Disk) -> Iterator[Disk]:
    """``disk`` hears of all that this process asks meanwhile."""
    ear = _ear()
    with pytest.MonkeyPatch.context() as patch:
        for name in _SYNCS:
            really: Callable[[int], None] = getattr(os, name)
            patch.setattr(os, name, lambda file, really=really: disk.sync(_number(file), really))
        ear.append(disk)
        try:
            yield disk
        finally:
            ear.remove(disk)


def _number(file: object) -> int:
    if isinstance(file, int):
        return file
    number: int = file.fileno()  # type: ignore[attr-defined]
    return number


@cache
def _ear() -> list[Disk]:
    # An audit hook cannot be taken away again, so there is one.
    disks: list[Disk] = []

    def hear(event: str, arguments: tuple[object, ...]) -> None:
        if disks and (event == "open" or event.startswith("os.")):
            for disk in disks:
                disk.hear(event, arguments)

    sys.addaudithook(hear)
    return disks
