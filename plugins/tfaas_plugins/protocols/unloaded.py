"""Models that somebody unloaded by a protocol, and that it does not serve until they are loaded."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256

from tfaas_core.errors import Unavailable
from tfaas_core.shared_memory import SharedMemory
from tfaas_plugins.protocols.oip.sizes import UNLOADED_BYTES, UNLOADED_SLOTS

_FREE = bytes(UNLOADED_BYTES)


@contextmanager
def locked(memory: SharedMemory) -> Iterator[None]:
    """No other HTTP worker is in such a block meanwhile; it must wait for nothing."""
    fcntl.lockf(memory.descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.lockf(memory.descriptor, fcntl.LOCK_UN)


class UnloadedModels:
    """Their names, as all HTTP workers know them. It lasts as long as the server runs."""

    KEY = "protocols.unloaded"
    """Where a host's ``shared`` has it, if there is any."""

    def __init__(self, memory: SharedMemory) -> None:
        self._memory = memory

    def holds(self, name: str) -> bool:
        """Whether the model ``name`` is unloaded."""
        table = self._memory.bytes
        # Nearly always there is none.
        if table[:UNLOADED_BYTES] == _FREE:
            return False
        return self._place(_digest(name)) is not None

    def check(self, name: str) -> None:
        """Raises Unavailable if the model ``name`` is unloaded."""
        if self.holds(name):
            raise Unavailable(f"model {name!r} is not ready: it was unloaded; load it first")

    def add(self, name: str) -> None:
        """The model ``name`` is unloaded. Raises Unavailable if too many are."""
        digest = _digest(name)
        with locked(self._memory):
            if self._place(digest) is not None:
                return
            free = self._place(_FREE)
            if free is None:
                raise Unavailable(f"{UNLOADED_SLOTS} models are unloaded, which is the most")
            self._memory.bytes[free : free + UNLOADED_BYTES] = digest

    def remove(self, name: str) -> None:
        """The model ``name`` is loaded again. The others move up, so that the first is not free."""
        with locked(self._memory):
            place = self._place(_digest(name))
            if place is None:
                return
            end = self._place(_FREE) or UNLOADED_SLOTS * UNLOADED_BYTES
            last = end - UNLOADED_BYTES
            table = self._memory.bytes
            table[place : place + UNLOADED_BYTES] = table[last:end]
            table[last:end] = _FREE

    def _place(self, digest: bytes) -> int | None:
        table = self._memory.bytes
        for at in range(0, UNLOADED_SLOTS * UNLOADED_BYTES, UNLOADED_BYTES):
            found = table[at : at + UNLOADED_BYTES]
            if found == digest:
                return at
            if found == _FREE:
                return None
        return None


def _digest(name: str) -> bytes:
    return sha256(name.encode(errors="replace")).digest()[:UNLOADED_BYTES]
