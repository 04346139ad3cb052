"""Several rows by JSON, beside the no-op that parses them: ``python -m benchmarks.several_rows``.

With 4, 8, 32 and 128 connections: the more of them, the more requests share a write and a run.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks import contenders, load, machine, network, options, servers
from benchmarks.bodies import as_json
from benchmarks.load import Contender
from benchmarks.options import Options
from benchmarks.report import Report, by
from benchmarks.servers import Server

GOALS = {10: 0.6, 100: 0.6, 1000: 0.8}
"""Of the no-op, by rows."""

COUNTS = (4, 8, 32, 128)
SETTINGS = {"engine.max_queue_rows": 1_000_000}
"""All connections may wait with all of their rows, so that nothing is refused."""


def measure(report: Report, given: Options, noop: Server, tfaas: Server) -> int:
    """Adds the table, and the goals; gives how many errors there were."""
    found = [
        load.compare(_contenders(noop, tfaas, rows), count, given.seconds, given.rounds)
        for rows in GOALS
        for count in COUNTS
    ]
    report.add("Several rows", load.HEADER, [row for one in found for row in one.rows()])
    for one in found:
        ours = one.measured[1]
        rows = ours.contender.rows
        what = f"{rows} rows by JSON, {by(one.connections)}, of the no-op"
        report.goal(what, one.ratio(ours), GOALS[rows])
    return sum(one.errors for one in found)


def _contenders(noop: Server, tfaas: Server, rows: int) -> list[Contender]:
    body = as_json(network.NAME, rows)
    return [Contender(contenders.NOOP, noop, [body]), Contender(contenders.GRAPH, tfaas, [body])]


def main() -> int:
    """Exits with 1 where a request was answered by an error."""
    given, report = options.parse(__doc__), Report()
    report.add("Machine", ["what", "value"], machine.rows())
    with (
        tempfile.TemporaryDirectory(prefix="tfaas-bench-") as folder,
        servers.noop() as noop,
        servers.tfaas(Path(folder) / "models", SETTINGS) as tfaas,
    ):
        with network.client(tfaas.url) as to:
            network.upload(to, network.NAME)
        errors = measure(report, given, noop, tfaas)
    report.add_goals()
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
