"""ThreadsByKind: threads for what takes long, such that no kind of it waits for another."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tfaas_core.system.loop.threads import Threads

THREADS = 4
"""Of each kind; they are started when they are needed."""


class ThreadsByKind:
    """Executors of one HTTP worker; a kind is the name of a codec or a protocol, say.

    They are its own: asyncio's threads may all be waiting for a storage. All belongs to the event
    loop.
    """

    def __init__(self) -> None:
        self._executors: dict[str, ThreadPoolExecutor] = {}

    def of(self, kind: str) -> ThreadPoolExecutor:
        """The threads of a kind."""
        if (found := self._executors.get(kind)) is None:
            found = self._executors[kind] = Threads(THREADS, f"tfaas-{kind}")
        return found

    def close(self) -> None:
        """Gives them back; what they are at, they finish."""
        for executor in self._executors.values():
            executor.shutdown(wait=False)
