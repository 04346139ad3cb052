"""Instances: what a second process of a model is worth: ``python -m benchmarks.instances``.

A model that burns one core for 5 ms a row, once with one process and once with two, in alternating
rounds. On a machine that does other things, too, rows for each second of processor time tell more
than rows a second: two processes are worth twice one if a row costs them no more, and both of them
always have one. Before that, copies of the model get a second process while their first is busy.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import httpx
import msgspec
import psutil

from benchmarks import machine, tiny_models
from benchmarks.bodies import Body
from benchmarks.network import client, remove, upload_graph
from benchmarks.report import Report
from benchmarks.servers import BenchmarkFailedError, Server, tfaas
from benchmarks.wrk import Load, drive

COUNTS = (1, 2)
GOAL = 1.85
COLD_START_S = 0.1
_STARTS = 5
_HEADER = ["processes", "rows/s", "rows for a CPU second", "cores used", "errors"]
_START_LIMIT_S = 60.0


class Share(msgspec.Struct, frozen=True):
    """A round: rows a second by the clock, and of processor time; the latter beside the former."""

    rows_per_s: float
    rows_per_cpu_s: float
    errors: int

    @property
    def cores(self) -> float:
        return self.rows_per_s / self.rows_per_cpu_s


def main() -> int:
    """Exits with 1 where a request was answered by an error."""
    given = _parse()
    report = Report()
    report.add("Machine", ["what", "value"], machine.rows())
    with TemporaryDirectory(prefix="tfaas-bench-") as name:
        folder = Path(name)
        graph = tiny_models.write(folder / "graphs")[tiny_models.BRIEF]
        errors = measure(report, folder / "models", graph, given.rounds, given.seconds)
    report.add_goals()
    return 1 if errors else 0


def measure(report: Report, storage: Path, graph: Path, rounds: int, seconds: int) -> int:
    """Adds the table, and the goals; gives how many errors there were."""
    settings = {"engine.threads": 1, "server.log_level": "info"}
    with tfaas(storage, settings) as server, client(server.url) as to:
        starts_s = [_start_s(server, to, graph, number) for number in range(_STARTS)]
        for count in COUNTS:
            upload_graph(to, _name(count), graph, {"instances": count})
        _get_second(server, to, _name(2))
        found = _rounds(server, to, rounds, seconds)
    report.add("Processes of one model", _HEADER, [_cells(c, found[c]) for c in COUNTS])
    _add_goals(report, found, median(starts_s))
    return sum(share.errors for shares in found.values() for share in shares)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=7)
    return parser.parse_args()


def _name(count: int) -> str:
    return f"burning-{count}"


def _load(name: str) -> Load:
    content = msgspec.json.encode({"values": [1.0], "model": name})
    return Load([Body("/json", "application/json", content, 1)], 8)


def _pids(to: httpx.Client, name: str) -> list[int]:
    models = to.get("/status").raise_for_status().json()["models"]
    own = [each for each in models if each["model"].startswith(f"{name}/")]
    return [each["pid"] for each in own if each["state"] == "ready"]


def _start_s(server: Server, to: httpx.Client, graph: Path, number: int) -> float:
    """How long the second process of a copy of the model takes to start."""
    name = f"starting-{number}"
    upload_graph(to, name, graph, {"instances": 2})
    before_s = _loads_s(to)
    _get_second(server, to, name)
    took_s = _loads_s(to) - before_s
    remove(to, name)
    return took_s


def _get_second(server: Server, to: httpx.Client, name: str) -> None:
    """Keeps the model busy until it has two processes."""
    end_s = time.monotonic() + _START_LIMIT_S
    while len(_pids(to, name)) < 2:
        drive(server, _load(name), 1)
        if time.monotonic() > end_s:
            raise BenchmarkFailedError("the model got no second process")


def _loads_s(to: httpx.Client) -> float:
    lines = to.get("/metrics").raise_for_status().text.splitlines()
    return sum(
        float(line.rpartition(" ")[2])
        for line in lines
        if line.startswith("tfaas_model_load_duration_seconds_sum")
    )


def _rounds(server: Server, to: httpx.Client, rounds: int, seconds: int) -> dict[int, list[Share]]:
    found: dict[int, list[Share]] = {count: [] for count in COUNTS}
    for number in range(rounds):
        for count in COUNTS[:: -1 if number % 2 else 1]:
            processes = [psutil.Process(pid) for pid in _pids(to, _name(count))]
            if len(processes) != count:
                raise BenchmarkFailedError(f"{len(processes)} processes, where {count} should be")
            before_s = _cpu_s(processes)
            measured = drive(server, _load(_name(count)), seconds)
            rows = measured.requests - measured.errors
            of_cpu = rows / (_cpu_s(processes) - before_s)
            found[count].append(Share(measured.requests_per_s, of_cpu, measured.errors))
    return found


def _cpu_s(processes: Sequence[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def _cells(count: int, shares: Sequence[Share]) -> list[str]:
    return [
        str(count),
        f"{median(share.rows_per_s for share in shares):.1f}",
        f"{median(share.rows_per_cpu_s for share in shares):.1f}",
        f"{median(share.cores for share in shares):.2f}",
        str(sum(share.errors for share in shares)),
    ]


def _add_goals(report: Report, found: dict[int, list[Share]], cold_start_s: float) -> None:
    pairs = list(zip(found[1], found[2], strict=True))
    by_clock = median(two.rows_per_s / one.rows_per_s for one, two in pairs)
    of_cpu = median(two.rows_per_cpu_s / one.rows_per_cpu_s for one, two in pairs)
    report.goal("rows/s of a model's two processes, of one", by_clock, GOAL)
    report.goal("rows for a CPU second of a model's two processes, of one", of_cpu, GOAL / 2)
    start_ms, most_ms = cold_start_s * 1000, COLD_START_S * 1000
    report.goal("start of a model's second process", start_ms, most_ms, " ms", at_most=True)


if __name__ == "__main__":
    sys.exit(main())
