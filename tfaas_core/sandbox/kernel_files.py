"""Kernel files: what the kernel tells in /proc, of which a confined process reads this alone.

Once the kernel has forgotten a name in /proc, under want of memory say, it makes another inode for
it, which no rule of Landlock knows. It forgets none that somebody holds open.
"""

from __future__ import annotations

import os
from contextlib import suppress

_OF_ITSELF = ("cmdline", "fd", "maps", "stat", "statm", "status")
"""TensorFlow aborts without the first; crashes are explained by, and stacks found in the maps."""

_OF_THE_MACHINE = ("cpuinfo", "meminfo", "sys/vm/overcommit_memory")
_THREADS = "/proc/self/task"

_held: dict[str, int] = {}


def hold_kernel_files() -> tuple[str, ...]:
    """The paths of all that this process goes on reading once it is confined, which it holds open.

    Its threads are not among them: beside each, there is what the kernel tells of networks. See
    ``own_threads``. What is not there is left out. Raises OSError.
    """
    # Never by its number: a /proc of other namespaces has that of another process.
    paths = [f"/proc/self/{name}" for name in _OF_ITSELF]
    # Crash handlers of libraries read those of a thread.
    paths.append("/proc/thread-self/maps")
    paths += [f"/proc/{name}" for name in _OF_THE_MACHINE]
    for path in paths:
        _hold(path, os.O_PATH)
    _hold(_THREADS, os.O_RDONLY | os.O_DIRECTORY)
    return tuple(path for path in paths if path in _held)


def _hold(path: str, flags: int) -> None:
    with suppress(FileNotFoundError, PermissionError):
        _held[path] = os.open(path, flags | os.O_CLOEXEC)


def own_threads() -> list[int]:
    """The threads of this process, by their native ids, confined or not; none if nothing tells."""
    try:
        return [int(name) for name in os.listdir(_held.get(_THREADS, _THREADS))]
    except OSError:
        return []
