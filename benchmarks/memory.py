"""Memory: what processes take, and what each further loaded model costs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from statistics import median

import msgspec
import psutil
from httpx import Client

from benchmarks.network import client, predict, remove
from benchmarks.servers import BenchmarkFailedError, Server

_PRIVATE = ("Private_Clean:", "Private_Dirty:")
_PROPORTIONAL = ("Pss:",)
_OWN = ("Pss_Anon:", "Pss_Shmem:")


class Footprint(msgspec.Struct, frozen=True):
    """Bytes of one process or several.

    ``private``: what their ends would give back. ``proportional``: that, and of each page that is
    shared with other processes its share (PSS), so that the pages that the processes of a server
    share among themselves count once. ``own``: of that, all but the pages of files, whose shares
    change as other programs on the machine use the same files or cease to.
    """

    private: int
    proportional: int
    own: int

    def __add__(self, other: Footprint) -> Footprint:
        return Footprint(
            self.private + other.private,
            self.proportional + other.proportional,
            self.own + other.own,
        )


NOTHING = Footprint(0, 0, 0)


def private_bytes_of_a_model(
    server: Server, upload: Callable[[Client, str], None], copies: int
) -> float:
    """The median private memory of the processes of ``copies`` new models.

    ``upload`` stores the network under a name. Each model has answered once, and is removed
    afterwards.
    """
    before = _model_processes(server)
    names = [f"memory-{i}" for i in range(copies)]
    with client(server.url) as to:
        for name in names:
            upload(to, name)
            predict(to, name)
        added = _model_processes(server) - before
        if len(added) != copies:
            raise BenchmarkFailedError(f"{copies} uploads brought {len(added)} new model processes")
        found = median(private_bytes(pid) for pid in added)
        for name in names:
            remove(to, name)
    return found


def private_bytes(pid: int) -> int:
    """The memory that the end of the process would give back."""
    return footprint(pid).private


def footprint(pid: int) -> Footprint:
    """Of one process; raises OSError where it is gone."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()

    def total(kinds: tuple[str, ...]) -> int:
        return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(kinds))

    return Footprint(total(_PRIVATE), total(_PROPORTIONAL), total(_OWN))


def processes(server: Server) -> list[psutil.Process]:
    """All of the server: the parent, HTTP workers, the fork server, and model processes."""
    parent = psutil.Process(server.pid)
    return [parent, *parent.children(recursive=True)]


def footprints(server: Server) -> dict[int, Footprint]:
    """Of each process of the server, by its id."""
    found = {}
    for process in processes(server):
        # It may end just now.
        with suppress(OSError):
            found[process.pid] = footprint(process.pid)
    return found


def kinds(server: Server) -> dict[int, str]:
    """What each process is, as ``GET /status`` calls it, by its id."""
    with client(server.url) as to:
        status = to.get("/status").raise_for_status().json()
    models = {one["pid"]: "model" for one in status["models"]}
    return models | {one["pid"]: one["kind"] for one in status["processes"]}


def _model_processes(server: Server) -> set[int]:
    return {pid for pid, kind in kinds(server).items() if kind == "model"}
