"""What it costs that rows share a run only where that is proven, and what it costs not to merge.

``python -m benchmarks.merging [--networks FOLDER]``: how long the proof takes at an upload, for the
demo models and for frozen graphs in FOLDER; then one row a request by 32 connections, to a model
whose rows share runs, and to the same where the params say that they must not.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec

from benchmarks.bodies import as_json
from benchmarks.load import HEADER, Contender, compare
from benchmarks.machine import rows as machine_rows
from benchmarks.network import NAME, client, graph_file, upload_graph
from benchmarks.proofs import Measured
from benchmarks.report import Report
from benchmarks.servers import ROOT, BenchmarkFailedError, noop, tfaas

_CONNECTIONS = 32
_ALONE = "bench-alone"


def proofs(networks: list[Path]) -> list[list[str]]:
    """A line for each network: nodes, milliseconds, verdict."""
    command = [sys.executable, "-m", "benchmarks.proofs", *map(str, networks)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if run.returncode:
        raise BenchmarkFailedError(f"the proofs cannot be measured:\n{run.stderr}")
    measured = msgspec.json.decode(run.stdout.splitlines()[-1], type=list[Measured])
    return [[one.name, str(one.nodes), f"{one.ms:.1f}", one.verdict] for one in measured]


def throughput(seconds: int, rounds: int) -> list[list[str]]:
    """The cells below HEADER: the no-op, merged, and not merged."""
    with (
        tempfile.TemporaryDirectory(prefix="tfaas-merging-") as folder,
        noop() as yardstick,
        tfaas(Path(folder) / "served") as server,
    ):
        with client(server.url) as to:
            upload_graph(to, NAME, graph_file())
            upload_graph(to, _ALONE, graph_file(), {"batch": {"merge": False}})
        contenders = [
            Contender("no-op", yardstick, [as_json(NAME, 1)]),
            Contender("merged", server, [as_json(NAME, 1)]),
            Contender("not merged", server, [as_json(_ALONE, 1)]),
        ]
        return compare(contenders, _CONNECTIONS, seconds, rounds).rows()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--networks", type=Path, help="a folder of frozen graphs, NAME.pb")
    options.add_argument("--seconds", type=int, default=5)
    options.add_argument("--rounds", type=int, default=3)
    chosen = options.parse_args()
    report = Report()
    report.add("The machine", ["what", "value"], machine_rows())
    found = sorted(chosen.networks.glob("*.pb")) if chosen.networks else []
    header = ["network", "nodes", "proof, ms", "rows"]
    report.add("Proofs", header, proofs([graph_file(), *found]))
    rows = throughput(chosen.seconds, chosen.rounds)
    report.add(f"One row, {_CONNECTIONS} connections", HEADER, rows)


if __name__ == "__main__":
    main()
