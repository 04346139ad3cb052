"""Forgetting: variables of the environment are taken out of a process that has begun with them."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Collection
from pathlib import Path

_STAT = Path("/proc/self/stat")
_ENV_START = 47
"""Of the numbers behind the name of the process."""


def forget_variables(names: Collection[str]) -> None:
    """Removes them from this process, which has one thread: neither it nor ``/proc`` shows them.

    That is where the kernel had put them. Copies that were made before are not looked for.
    """
    if not names:
        return
    for name in names:
        os.environ.pop(name, None)
    # So the C library has copies of the others, too.
    os.environ.update(dict(os.environ))
    numbers = _STAT.read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    begin, end = map(int, numbers[_ENV_START : _ENV_START + 2])
    ctypes.memset(begin, 0, end - begin)
