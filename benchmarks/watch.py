"""Watch: how much the private memory of a server's processes grows while something happens."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec

from benchmarks.memory import footprints, kinds
from benchmarks.servers import Server

_PERIOD_S = 0.1


class Growth(msgspec.Struct):
    """The peak growth of each process, in bytes, by its id.

    ``new``: those that came meanwhile, and have grown from nothing.
    """

    by_pid: dict[int, int] = {}
    new: set[int] = set()

    def by_kind(self, server: Server) -> dict[str, int]:
        """The largest of each kind of process, as ``GET /status`` calls them."""
        known = kinds(server)
        largest: dict[str, int] = {}
        for pid, grown in self.by_pid.items():
            kind = known.get(pid, "other")
            kind = f"new {kind}" if pid in self.new else kind
            largest[kind] = max(grown, largest.get(kind, 0))
        return dict(sorted(largest.items()))


@contextmanager
def watching(server: Server) -> Iterator[Growth]:
    """Samples every process of the server, from the start to the end of the block."""
    before = _sample(server)
    growth = Growth()

    def look() -> None:
        for pid, size in _sample(server).items():
            grown = size - before.get(pid, 0)
            growth.by_pid[pid] = max(grown, growth.by_pid.get(pid, 0))
        growth.new.update(growth.by_pid.keys() - before.keys())

    with repeated(look, _PERIOD_S):
        yield growth
    look()


@contextmanager
def repeated(look: Callable[[], object], every_s: float) -> Iterator[None]:
    """Calls ``look`` again and again, in a thread, while the block lasts."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(every_s):
            look()

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _sample(server: Server) -> dict[int, int]:
    return {pid: one.private for pid, one in footprints(server).items()}
