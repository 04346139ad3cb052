"""Revision: a file that is touched with each change, so that others see that there was one."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

_TOUCHING = os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK


class Revision:
    """The file ``name`` of the folder ``root``."""

    def __init__(self, root: Path, name: str) -> None:
        self._root = root
        self._file = root / name

    def read(self) -> str:
        """Another text after each change. Raises OSError."""
        # Names that somebody adds or removes by hand change the root.
        root = os.stat(self._root).st_mtime_ns
        try:
            # Network disks tell what is new to whoever opens a file.
            descriptor = os.open(self._file, os.O_RDONLY | os.O_NONBLOCK)
        except FileNotFoundError:
            return f"{root}"
        try:
            return f"{root}-{os.fstat(descriptor).st_mtime_ns}"
        finally:
            os.close(descriptor)

    def touch(self) -> None:
        """Tells of a change; if that fails, others see it at their next full look (30 s)."""
        with suppress(OSError):
            os.close(os.open(self._file, _TOUCHING, 0o600))
            now_ns = time.time_ns()
            os.utime(self._file, ns=(now_ns, now_ns))
