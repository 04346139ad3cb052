"""Two checkouts side by side, or two settings of one: ``python -m benchmarks.trees ../before``.

The other tree is the yardstick. ``--set`` holds for this one alone, so that
``python -m benchmarks.trees . --set KEY=VALUE`` tells what a setting costs.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks import load, machine, memory
from benchmarks.bodies import as_json, as_msgpack, as_protobuf
from benchmarks.network import NAME, client, predict, upload
from benchmarks.report import Report
from benchmarks.servers import ENVIRONMENT, ROOT, Server, tfaas

_ROOMS = (".", "plugins", "backends")
_MODELS = 5
_HEADER = ["what", "before", "now", "ratio"]

Start = Callable[[Path], AbstractContextManager[Server]]
"""Starts a server whose models are in a folder."""


def main() -> int:
    """Exits with 1 where a request was answered by an error."""
    given = _parse()
    # So that the servers are ended on the way out, as they are on Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    report = Report()
    report.add("Machine", ["what", "value"], machine.rows())
    settings = dict(pair.split("=", 1) for pair in given.set)
    trees: dict[str, Start] = {
        "before": partial(server_of, given.tree, {}),
        "now": partial(server_of, ROOT, settings),
    }
    with TemporaryDirectory(prefix="tfaas-bench-") as folder:
        errors = _requests(report, given, trees, Path(folder))
        _waiting(report, given.rounds, trees, Path(folder))
    return 1 if errors else 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tree", type=Path, help="the root of the other checkout")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 32, 128])
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=7)
    return parser.parse_args()


def server_of(
    tree: Path, settings: dict[str, object], storage: Path
) -> AbstractContextManager[Server]:
    """The server of a checkout, with the libraries of this one."""
    path = os.pathsep.join(str(tree.resolve() / room) for room in _ROOMS)
    command = [sys.executable, "-m", "tfaas_core"]
    return tfaas(storage, settings, command, ENVIRONMENT | {"PYTHONPATH": path})


def _requests(
    report: Report, given: argparse.Namespace, trees: dict[str, Start], folder: Path
) -> int:
    errors, rows = 0, []
    with trees["before"](folder / "0") as before, trees["now"](folder / "1") as now:
        for server in (before, now):
            with client(server.url) as to:
                upload(to, NAME)
        for connections in given.connections:
            for body in (as_json(NAME, 1), as_protobuf(NAME, 1), as_msgpack(NAME, 1)):
                kind = body.media_type.rpartition("/")[2]
                who = [
                    load.Contender(f"before, {kind}", before, [body]),
                    load.Contender(f"now, {kind}", now, [body]),
                ]
                found = load.compare(who, connections, given.seconds, given.rounds)
                rows += found.rows()
                errors += found.errors
        report.add("Requests", load.HEADER, rows)
        report.add("Memory", _HEADER, _memory(before, now))
    return errors


def _memory(before: Server, now: Server) -> list[list[str]]:
    models = [memory.private_bytes_of_a_model(one, upload, _MODELS) for one in (before, now)]
    whole = [sum(f.own for f in memory.footprints(one).values()) for one in (before, now)]
    return [
        _row("private memory of a further model, MB", models[0] / 1e6, models[1] / 1e6),
        _row("all processes without pages of files, MB", whole[0] / 1e6, whole[1] / 1e6),
    ]


def _waiting(report: Report, rounds: int, trees: dict[str, Start], folder: Path) -> None:
    live: dict[str, list[float]] = {name: [] for name in trees}
    first: dict[str, list[float]] = {name: [] for name in trees}
    for _ in range(rounds):
        for place, (name, start) in enumerate(trees.items()):
            begin_s = time.perf_counter()
            with start(folder / str(place)) as server, client(server.url) as to:
                live[name].append(time.perf_counter() - begin_s)
                predict(to, NAME)
                first[name].append(time.perf_counter() - begin_s)
    rows = [
        _row("start to live, s", *map(median, live.values())),
        _row("start to the first prediction, s", *map(median, first.values())),
    ]
    report.add("Start", _HEADER, rows)


def _row(what: str, before: float, now: float) -> list[str]:
    return [what, f"{before:.2f}", f"{now:.2f}", f"{now / before:.2f}"]


if __name__ == "__main__":
    sys.exit(main())
