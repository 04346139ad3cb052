"""Limits: how much a process takes of what it shares with all others."""

from __future__ import annotations

import os
import resource
from contextlib import suppress
from pathlib import Path

_DESCRIPTORS = 1024
_TASKS = 1024
_NONE = ("CORE", "FSIZE", "MEMLOCK", "MSGQUEUE", "NICE", "RTPRIO")
_FIRST_TO_GO = b"1000"


def limit_resources(most_data_bytes: int, own_user: bool) -> None:
    """``most_data_bytes``: of what ``data_bytes`` counts.

    ``own_user``: no other process has the user that this one is going to have. Raises OSError.
    """
    # What the kernel ends first if memory runs out.
    with suppress(OSError):
        descriptor = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
        try:
            os.write(descriptor, _FIRST_TO_GO)
        finally:
            os.close(descriptor)
    for name in _NONE:
        _at_most(getattr(resource, f"RLIMIT_{name}"), 0)
    _at_most(resource.RLIMIT_NOFILE, _DESCRIPTORS)
    _at_most(resource.RLIMIT_DATA, most_data_bytes)
    if own_user:
        _at_most(resource.RLIMIT_NPROC, _TASKS)


def limit_data(most_data_bytes: int) -> None:
    """Limits what ``data_bytes`` counts, and nothing else. Raises OSError."""
    _at_most(resource.RLIMIT_DATA, most_data_bytes)


def memory_is_kept_back() -> bool:
    """Whether the kernel refuses memory that others were promised, and may never use."""
    with suppress(OSError):
        return Path("/proc/sys/vm/overcommit_memory").read_text().strip() == "2"
    return False


def _at_most(what: int, value: int) -> None:
    _soft, hard = resource.getrlimit(what)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(what, (value, value))


def data_bytes() -> int:
    """What this process has by now: its own memory, which can be written to."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) * 1024
    return 0
