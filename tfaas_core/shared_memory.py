"""SharedMemory: memory that all HTTP workers of a server share."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Mapping
from mmap import mmap
from multiprocessing.reduction import DupFd
from typing import Any


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
        """Of a file that is nowhere, for locks by ``fcntl``, which end with their process."""
        self.bytes = mmap(descriptor, size_bytes)
        """The memory itself. A process may be killed while it writes."""
        weakref.finalize(self, os.close, descriptor)

    def __reduce__(self) -> tuple[Callable[..., SharedMemory], tuple[Any, ...]]:
        return _received, (DupFd(self.descriptor), len(self.bytes))


def shared_memories(sizes: Mapping[str, int]) -> dict[str, SharedMemory]:
    """New ones of these sizes, in bytes. Raises OSError."""
    return {name: SharedMemory(size_bytes) for name, size_bytes in sizes.items()}


def _received(sent: Any, size_bytes: int) -> SharedMemory:
    return SharedMemory(size_bytes, sent.detach())
