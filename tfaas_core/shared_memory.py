"""SharedMemory: memory that all HTTP workers of a server share."""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Callable, Mapping
from fcntl import LOCK_EX, LOCK_NB, LOCK_UN, lockf
from mmap import mmap
from multiprocessing.reduction import DupFd
from typing import Any

_PATIENCE_S = 0.02
"""A lock is held for microseconds, unless its process is stopped or does not get a core."""


class LockHeld(Exception):
    """Another process does not let go of a lock."""


class SharedMemory:
    """``size_bytes`` of memory, all zero at first, which is gone with the last process that has it.

    A new process may get it among its arguments. What it takes of the machine's memory is what was
    written to, in pages.
    """

    def __init__(self, size_bytes: int, descriptor: int | None = None) -> None:
        """``descriptor``: that of memory which is there already, to be owned. Raises OSError."""
        if descriptor is None:
            descriptor = os.memfd_create("tfaas-shared")
            os.ftruncate(descriptor, size_bytes)
        self.descriptor = descriptor
        """Of a file that is nowhere."""
        self.bytes = mmap(descriptor, size_bytes)
        """The memory itself. A process may be killed while it writes."""
        weakref.finalize(self, os.close, descriptor)

    def lock(self, place: int = 0) -> None:
        """Keeps other processes out until ``unlock``, but not other threads of this one.

        ``place``: which of as many locks as anybody likes. The kernel takes it from a process that
        ends. Between the two there should be a few lines, and nothing to wait for. Raises LockHeld,
        rather than to hold up the event loop for long, and OSError.
        """
        until_s = 0.0
        while True:
            try:
                lockf(self.descriptor, LOCK_EX | LOCK_NB, 1, place)
                return
            except (BlockingIOError, PermissionError):
                until_s = until_s or time.monotonic() + _PATIENCE_S
                if time.monotonic() > until_s:
                    raise LockHeld("an HTTP worker holds a lock, and does not go on") from None
                os.sched_yield()

    def unlock(self, place: int = 0) -> None:
        """Lets others go on. Raises OSError."""
        lockf(self.descriptor, LOCK_UN, 1, place)

    def __reduce__(self) -> tuple[Callable[..., SharedMemory], tuple[Any, ...]]:
        return _received, (DupFd(self.descriptor), len(self.bytes))


def shared_memories(sizes: Mapping[str, int]) -> dict[str, SharedMemory]:
    """New ones of these sizes, in bytes. Raises OSError."""
    return {name: SharedMemory(size_bytes) for name, size_bytes in sizes.items()}


def _received(sent: Any, size_bytes: int) -> SharedMemory:
    return SharedMemory(size_bytes, sent.detach())
