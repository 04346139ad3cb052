"""Descriptors: a process keeps its own, under known numbers, and has no other."""

from __future__ import annotations

import fcntl
import os
import resource
from collections.abc import Mapping

_FIRST_OWN = 3
_UNLIMITED = 1 << 20


def keep_only(kept: Mapping[int, int]) -> None:
    """Leaves the standard streams, and ``kept``: the numbers to come by the present ones.

    The numbers to come are all from 3 up to the last. Whoever has one of the others left finds it
    closed, or another file under it.
    """
    above = max(kept.values(), default=_FIRST_OWN) + 1
    copies = [fcntl.fcntl(now, fcntl.F_DUPFD_CLOEXEC, above) for now in kept]
    for copy, number in zip(copies, kept.values(), strict=True):
        os.dup2(copy, number, inheritable=False)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    os.closerange(above, _UNLIMITED if most == resource.RLIM_INFINITY else most)
