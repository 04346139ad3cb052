"""Privileges: a process gives up its capabilities, its groups and its user, and gets none back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from struct import Struct as Layout

from tfaas_core.sandbox.kernel import capset, prctl

_DROP_BOUND, _SET_SECURE, _SET_NO_NEW = 24, 28, 38
_NO_FIX_UP = 1 << 2 | 1 << 3
_KILL, _SETGID, _SETUID, _SETPCAP = 5, 6, 7, 8
_READ_ALL = 2
"""CAP_DAC_READ_SEARCH: whatever the modes of files and folders say, they can be read."""

_OF_WORKERS = 1 << 1 | 1 << _READ_ALL | 1 << 3 | 1 << 10
"""To read and write what is another user's, as a storage may be, and to bind ports below 1024."""

_CAPABILITIES_VERSION = 0x2008_0522
_HEADER = Layout("=Ii")
_SETS = Layout("=6I")


def effective_capabilities() -> int:
    """Those of this process, a bit each."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return int(line.split()[1], 16)
    return 0


def is_root() -> bool:
    """Whether this process is of root, with or without capabilities."""
    return os.geteuid() == 0


def can_change_user() -> bool:
    """Whether this process is root, and may run others as other users, and end them."""
    needed = 1 << _SETUID | 1 << _SETGID | 1 << _SETPCAP | 1 << _KILL
    return is_root() and effective_capabilities() & needed == needed


def are_users(first: int, count: int) -> bool:
    """Whether so many users and groups, from ``first`` on, are there in this user namespace."""
    return all(
        any(start <= first and first + count <= start + size for start, size in _mapped(kind))
        for kind in ("uid", "gid")
    )


def _mapped(kind: str) -> Iterator[tuple[int, int]]:
    """From which number on how many are there."""
    for line in Path(f"/proc/self/{kind}_map").read_text().splitlines():
        start, _outside, size = line.split()
        yield int(start), int(size)


def no_new_privileges() -> None:
    """Nothing that this process ever executes has more rights than the process itself."""
    prctl(_SET_NO_NEW, 1)


def can_read_all() -> bool:
    """Whether this process reads files whose modes are against it."""
    return effective_capabilities() >> _READ_ALL & 1 == 1


def become(user: int, read_all: bool) -> None:
    """Has this process, of root, run as ``user``, its only group the one of the same number.

    ``read_all``: it goes on reading files whose modes are against it. Raises OSError.
    """
    # Else access(2) would say that a user other than root has no capability.
    prctl(_SET_SECURE, _NO_FIX_UP)
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    drop_capabilities(read_all)


def drop_capabilities(read_all: bool, changes_user: bool = False) -> None:
    """All of them, but for these, which it must have. Raises OSError.

    ``read_all``: see ``become``; ``changes_user``: what it takes to become another user.
    """
    kept = 1 << _READ_ALL if read_all else 0
    if changes_user:
        kept |= 1 << _SETUID | 1 << _SETGID | 1 << _SETPCAP
    _keep(kept)


def keep_capabilities_of_workers() -> None:
    """Drops all capabilities but those that storages and listeners may need. Raises OSError."""
    drop_bounds()
    _keep(effective_capabilities() & _OF_WORKERS)


def _keep(kept: int) -> None:
    sets = _SETS.pack(kept, kept, 0, 0, 0, 0)
    capset(_HEADER.pack(_CAPABILITIES_VERSION, 0), sets)


def drop_bounds() -> None:
    """What this process, and what it starts, executes has no capability, either."""
    if effective_capabilities() >> _SETPCAP & 1:
        last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
        for capability in range(last + 1):
            prctl(_DROP_BOUND, capability)
