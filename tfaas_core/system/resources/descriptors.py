"""File descriptors: how many this process may have, and some that are kept for when there are no
more."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_MOST = 1 << 20
"""More than this is no use, and some libraries go through them all."""


def raise_limit() -> int:
    """Raises this process's limit as far as it may by itself; returns what it is then.

    Processes that it starts have the same one.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST if hard == resource.RLIM_INFINITY else min(hard, _MOST)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):  # a sandbox forbids it
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            return wanted
    return _MOST if soft == resource.RLIM_INFINITY else soft


class SpareDescriptors:
    """Some that are open for nothing, and closed when they are needed."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._borrowers = 0
        self._held: list[int] = []
        self._fill()

    @contextmanager
    def lent(self) -> Iterator[None]:
        """In the block, so many can be opened. Those that stay open are not lent again."""
        self._borrowers += 1
        self.close()
        try:
            yield
        finally:
            self._borrowers -= 1
            if not self._borrowers:
                self._fill()

    def close(self) -> None:
        while self._held:
            os.close(self._held.pop())

    def _fill(self) -> None:
        with suppress(OSError):  # there are none at the moment
            while len(self._held) < self._count:
                self._held.append(os.open(os.devnull, os.O_RDONLY))
