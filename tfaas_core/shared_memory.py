"""SharedMemory: memory that all HTTP workers of a server share."""

from __future__ import annotations

import os
import struct
import time
import weakref
from collections.abc import Callable, Mapping
from fcntl import F_GETLK, F_UNLCK, F_WRLCK, LOCK_EX, LOCK_NB, LOCK_UN, fcntl, lockf
from mmap import mmap
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import Any

_PATIENCE_S = 0.02
"""A lock is held for microseconds, unless its process does not get a core, or is stopped."""

_MOST_PATIENCE_S = 2.0
"""With a process that does not get a core: this one would hardly go on without it either."""

_PAUSE_S = 0.0005
_STOPPED = frozenset("Tt")
_FLOCK = struct.Struct("hhqqi4x")


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
        ends. Between the two there should be a few lines, and nothing to wait for. Raises LockHeld
        if the process that has it is stopped, rather than to hold up the event loop, and OSError.
        """
        if not self._taken(place):
            self._wait_for(place)

    def _taken(self, place: int) -> bool:
        try:
            lockf(self.descriptor, LOCK_EX | LOCK_NB, 1, place)
        except (BlockingIOError, PermissionError):
            return False
        return True

    def _wait_for(self, place: int) -> None:
        began_s = time.monotonic()
        while not self._taken(place):
            waited_s = time.monotonic() - began_s
            if waited_s < _PATIENCE_S:
                os.sched_yield()
            elif waited_s > _MOST_PATIENCE_S or self._is_held_by_a_stopped_one(place):
                raise LockHeld("an HTTP worker holds a lock, and does not go on")
            else:
                time.sleep(_PAUSE_S)

    def _is_held_by_a_stopped_one(self, place: int) -> bool:
        asked = _FLOCK.pack(F_WRLCK, os.SEEK_SET, place, 1, 0)
        kind, *_, pid = _FLOCK.unpack(fcntl(self.descriptor, F_GETLK, asked))
        return kind != F_UNLCK and _state(pid) in _STOPPED

    def unlock(self, place: int = 0) -> None:
        """Lets others go on. Raises OSError."""
        lockf(self.descriptor, LOCK_UN, 1, place)

    def __reduce__(self) -> tuple[Callable[..., SharedMemory], tuple[Any, ...]]:
        return _received, (DupFd(self.descriptor), len(self.bytes))


def shared_memories(sizes: Mapping[str, int]) -> dict[str, SharedMemory]:
    """New ones of these sizes, in bytes. Raises OSError."""
    return {name: SharedMemory(size_bytes) for name, size_bytes in sizes.items()}


def _state(pid: int) -> str:
    """One letter, as ``proc(5)`` has it; empty if there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def _received(sent: Any, size_bytes: int) -> SharedMemory:
    return SharedMemory(size_bytes, sent.detach())
