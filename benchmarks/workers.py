"""Workers: throughput by the number of HTTP workers."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from benchmarks import load
from benchmarks.bodies import as_json
from benchmarks.contenders import GRAPH, NOOP
from benchmarks.load import Comparison, Contender
from benchmarks.network import NAME, client, predict, upload
from benchmarks.options import Options
from benchmarks.servers import WORKERS, noop, tfaas

HEADER = ["workers", "request", "rows/s", "errors", "ratio to the no-op", "ratio to 1 worker"]
_CONNECTIONS = 128


def measure(folder: Path, options: Options) -> Comparison:
    """No-op and graph in turn, with 1, 2, 4 ... workers, up to one a core.

    All servers are started before, with their models in the new ``folder``.
    """
    folder.mkdir()
    connections = min(_CONNECTIONS, max(options.connections))
    who: list[Contender] = []
    with ExitStack() as servers:
        for workers in counts():
            plain = servers.enter_context(noop(workers))
            ours = servers.enter_context(tfaas(folder / str(workers), {"server.workers": workers}))
            with client(ours.url) as to:
                upload(to, NAME)
                predict(to, NAME)
            who.append(Contender(NOOP, plain, [as_json(NAME, 1)]))
            who.append(Contender(GRAPH, ours, [as_json(NAME, 1)]))
        return load.compare(who, connections, options.seconds, options.rounds)


def counts() -> list[int]:
    """Powers of two below the number of cores, and that number."""
    powers = [1 << power for power in range(WORKERS.bit_length()) if 1 << power < WORKERS]
    return [*powers, WORKERS]


def rows(comparison: Comparison) -> list[list[str]]:
    """The cells below HEADER, one line a contender."""
    found = []
    for index, one in enumerate(comparison.measured):
        same_workers, same_server = (
            comparison.measured[index - index % 2],
            comparison.measured[index % 2],
        )
        _connections, _name, _rows, per_s, _p50, _p99, errors, _ratio = comparison.rows()[index]
        ratios = [comparison.ratio(one, other) for other in (same_workers, same_server)]
        workers = str(counts()[index // 2])
        cells = [workers, one.contender.name, per_s, errors, *(f"{r:.2f}" for r in ratios)]
        found.append(cells)
    return found
