"""Memory: what each further loaded model costs."""

from __future__ import annotations

from pathlib import Path
from statistics import median

import psutil

from benchmarks.network import client, predict, upload
from benchmarks.servers import BenchmarkFailedError, Server

_PRIVATE = ("Private_Clean:", "Private_Dirty:")


def private_bytes_of_a_model(server: Server, copies: int) -> float:
    """The median private memory of the processes of ``copies`` newly stored networks.

    Each has answered once.
    """
    before = _model_processes(server)
    with client(server.url) as to:
        for i in range(copies):
            upload(to, f"memory-{i}")
            predict(to, f"memory-{i}")
    added = _model_processes(server) - before
    if len(added) != copies:
        raise BenchmarkFailedError(f"{copies} uploads brought {len(added)} new model processes")
    return median(private_bytes(pid) for pid in added)


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
