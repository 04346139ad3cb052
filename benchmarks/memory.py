"""Memory: what each further loaded model costs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from statistics import median

import psutil
from httpx import Client

from benchmarks.network import client, predict, remove
from benchmarks.servers import BenchmarkFailedError, Server

_PRIVATE = ("Private_Clean:", "Private_Dirty:")


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
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(_PRIVATE))


def _model_processes(server: Server) -> set[int]:
    children = psutil.Process(server.pid).children()
    fork_servers = [child for child in children if "forkserver" in " ".join(child.cmdline())]
    if len(fork_servers) != 1:
        raise BenchmarkFailedError(f"the server has {len(fork_servers)} fork servers, not one")
    return {child.pid for child in fork_servers[0].children()}
