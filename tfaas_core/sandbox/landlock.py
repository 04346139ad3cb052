"""Landlock: what a process may open, and whom it may reach, whatever its user may."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from struct import Struct as Layout

from tfaas_core.sandbox.kernel import system_call

_VERSION = 1
_BENEATH_PATH = 1
_RULE = Layout("=Qi")
_RULESET = Layout("=QQQ")

WRITES_SINCE = 2
"""Before that version, nothing could be renamed from one folder into another."""

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _TRUNCATE = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 14
_MAKE_DEVICES = 1 << 6 | 1 << 11
_DEVICE_CALLS = 1 << 15
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _DEVICE_CALLS
_RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}
"""How many rights to files there are, from which version on."""

_TCP = 1 << 0 | 1 << 1
_TCP_SINCE = 4
_OTHERS = 1 << 0 | 1 << 1
"""Abstract Unix sockets, and signals."""

_OTHERS_SINCE = 6


def landlock_version() -> int:
    """Which version of it the kernel has; 0: none, or it is switched off, or forbidden."""
    try:
        return system_call("landlock_create_ruleset", 0, 0, _VERSION)
    except OSError:
        return 0


def restrict_files(reads: Iterable[str], writes: Iterable[str] = ()) -> None:
    """From now on, this thread and its children open what lies beneath these paths, and no more.

    Nor can they use TCP, reach sockets without a file, or signal processes that are not
    restricted so, as far as the kernel's version knows of that. Paths that it cannot find are left
    out. No new privileges must be possible. Raises OSError.
    """
    known = landlock_version()
    rights = _rights(known)
    with _ruleset(known, rights, _TCP) as ruleset:
        for path in reads:
            _allow(ruleset, path, _READ_FILE | _READ_DIR)
        for path in writes:
            _allow(ruleset, path, (_READ_FILE | _READ_DIR | _WRITE_FILE | _TRUNCATE) & rights)


def restrict_writes(writes: Iterable[str], programs: bool) -> None:
    """From now on, this thread and its children change files beneath these paths, and no others.

    They read whatever they may. ``programs``: whether they may execute files. Nor can they reach
    sockets without a file, or signal processes that are not restricted so, as far as the kernel's
    version knows of that. Paths that it cannot find are left out. No new privileges must be
    possible. The version must be WRITES_SINCE. Raises OSError.
    """
    known = landlock_version()
    rights = _rights(known) & ~(_READ_FILE | _READ_DIR | _DEVICE_CALLS)
    if programs:
        rights &= ~_EXECUTE
    with _ruleset(known, rights, 0) as ruleset:
        for path in writes:
            _allow(ruleset, path, rights & ~(_EXECUTE | _MAKE_DEVICES))


def _rights(known: int) -> int:
    return (1 << max(count for since, count in _RIGHTS.items() if known >= since)) - 1


@contextmanager
def _ruleset(known: int, rights: int, net: int) -> Iterator[int]:
    """A ruleset that denies ``rights`` and ``net``; after the block, it is in force."""
    net = net if known >= _TCP_SINCE else 0
    others = _OTHERS if known >= _OTHERS_SINCE else 0
    sized = 24 if known >= _OTHERS_SINCE else 16 if known >= _TCP_SINCE else 8
    described = _RULESET.pack(rights, net, others)[:sized]
    ruleset = system_call("landlock_create_ruleset", described, sized, 0)
    try:
        yield ruleset
        system_call("landlock_restrict_self", ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
                rights &= _OF_FILES
            rule = _RULE.pack(rights, descriptor)
            system_call("landlock_add_rule", ruleset, _BENEATH_PATH, rule, 0)
        finally:
            os.close(descriptor)
