"""What a start takes, beside another checkout's: ``python -m benchmarks.starts ../before``.

Without TensorFlow, whose import takes longer than all else.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import httpx
import msgspec
import psutil

from benchmarks import machine, memory
from benchmarks.report import Report
from benchmarks.servers import ROOT, Server
from benchmarks.trees import server_of
from tfaas_core.testing.forked import http_workers
from tfaas_core.testing.hosts import HEAVY_PLUGINS

_HEADER = ["HTTP workers", "what", "before", "now", "ratio"]
_CALM_S = 1.0


class Start(msgspec.Struct, frozen=True):
    """``cpu_s``: of all processes. ``back_s``: until another one answers, after the only worker was
    killed; None if there are several."""

    live_s: float
    cpu_s: float
    private_mb: float
    back_s: float | None


_MEANINGS = {
    "live_s": "start to live, s",
    "cpu_s": "CPU of a start, s",
    "private_mb": "private memory of all processes, MB",
    "back_s": "until a killed worker is replaced, s",
}


def main() -> int:
    """Always 0."""
    given = _parse()
    report = Report()
    report.add("Machine", ["what", "value"], machine.rows())
    rows: list[list[str]] = []
    for workers in given.workers:
        before, now = [], []
        for _ in range(given.rounds):
            before.append(_start(given.tree, workers))
            now.append(_start(ROOT, workers))
        rows += _rows(workers, before, now)
    report.add("Starts", _HEADER, rows, "The least of all rounds for CPU times, else medians.")
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tree", type=Path, help="the root of the other checkout")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 8])
    parser.add_argument("--rounds", type=int, default=7)
    return parser.parse_args()


def _start(tree: Path, workers: int) -> Start:
    begin_s = time.perf_counter()
    with _server(tree, workers) as server:
        live_s = time.perf_counter() - begin_s
        # Until nothing of the start is still under way.
        time.sleep(_CALM_S)
        found = memory.processes(server)
        cpu_s = sum(sum(process.cpu_times()[:4]) for process in found)
        private = sum(each.private for each in memory.footprints(server).values())
        return Start(live_s, cpu_s, private / 1e6, _back_s(server) if workers == 1 else None)


@contextmanager
def _server(tree: Path, workers: int) -> Iterator[Server]:
    settings = {"server.workers": workers, "plugins.disabled": json.dumps(HEAVY_PLUGINS)}
    with (
        TemporaryDirectory(prefix="tfaas-bench-") as folder,
        server_of(tree, settings, Path(folder)) as server,
    ):
        yield server


def _back_s(server: Server) -> float:
    begin_s = time.perf_counter()
    (worker,) = http_workers(psutil.Process(server.pid))
    worker.kill()
    worker.wait()
    httpx.get(f"{server.url}/models", timeout=60.0).raise_for_status()
    return time.perf_counter() - begin_s


def _rows(workers: int, before: list[Start], now: list[Start]) -> Iterator[list[str]]:
    for key, meaning in _MEANINGS.items():
        one, other = (
            [value for start in starts if (value := getattr(start, key)) is not None]
            for starts in (before, now)
        )
        if one:
            best = min if key == "cpu_s" else median
            was, is_now = best(one), best(other)
            yield [str(workers), meaning, f"{was:.2f}", f"{is_now:.2f}", f"{is_now / was:.2f}"]


if __name__ == "__main__":
    sys.exit(main())
