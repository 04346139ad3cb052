"""Shared numbers: a few integers in memory that processes have in common."""

from __future__ import annotations

import fcntl
import mmap
import os
from typing import Self


class SharedNumbers:
    """int64 ``[count]``, at first all zero.

    Nobody locks them: each has one writer, or is one that any writer may overwrite. Their memory
    has no name, cannot change its size, and goes with its last user.
    """

    def __init__(self, descriptor: int) -> None:
        """Takes over the descriptor of numbers that are there."""
        self.descriptor = descriptor
        """What another process needs to share them."""
        self._memory = mmap.mmap(descriptor, os.fstat(descriptor).st_size)
        self.cells = memoryview(self._memory).cast("q")

    @classmethod
    def create(cls, count: int) -> Self:
        """New ones, all zero."""
        descriptor = os.memfd_create("tfaas-numbers", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(descriptor, 8 * count)
        # Whoever read numbers that another process has cut off would be killed by SIGBUS.
        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
        return cls(descriptor)

    def close(self) -> None:
        """Gives up this process's share; no view of ``cells`` may be left."""
        self.cells.release()
        self._memory.close()
        os.close(self.descriptor)
