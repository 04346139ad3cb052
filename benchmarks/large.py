"""Large inputs and outputs: CPU time of HTTP worker and model: ``python -m benchmarks.large``.

With another checkout, ``python -m benchmarks.large ../before``, that one's server takes turns with
this one's. The models do next to nothing, so that what is left is what it takes to bring numbers
to TensorFlow, and back.
"""

from __future__ import annotations

import argparse
import http.client
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import msgspec
import numpy as np
import psutil

from benchmarks import machine, tiny_models
from benchmarks.bodies import Body, as_binary_oip, as_json, as_packed_of
from benchmarks.network import NAME, client, upload, upload_graph
from benchmarks.pictures import jpeg_640x480, levels_640x480
from benchmarks.report import Report
from benchmarks.servers import ROOT, BenchmarkFailedError, Server
from benchmarks.trees import server_of
from tfaas_core.tensors import Array
from tfaas_core.testing.forked import http_workers, model_processes

_SETTINGS: Mapping[str, object] = {
    "server.workers": 1,
    "engine.busy_poll_us": 0,
    "engine.threads": 1,
}
"""So that nothing but the work itself takes time."""

_HEADER = ["request", "bytes", "tree", "HTTP worker", "model"]


class Case(msgspec.Struct, frozen=True):
    """What is asked so many times a round."""

    name: str
    body: Body
    requests: int = 100


def cases() -> list[Case]:
    """Requests with large inputs, with large outputs, and one with neither."""
    row = np.random.default_rng(1).normal(size=tiny_models.FEATURES).astype("<f4")
    picture = Body(
        f"/models/{tiny_models.COLOUR_224}/predict/image", "image/jpeg", jpeg_640x480(), 1
    )
    levels = as_binary_oip(tiny_models.LEVELS_480X640, "x", levels_640x480()[None])
    return [
        Case("a row of 42, JSON", as_json(NAME, 1), 1000),
        Case("a row of 36,000, packed", as_packed_of(tiny_models.WIDE, row), 200),
        Case("the same, and as many back", as_packed_of(tiny_models.WIDE_BOTH, row), 200),
        Case("the same by JSON", _json(tiny_models.WIDE, row), 50),
        Case("10 such rows, packed", as_packed_of(tiny_models.WIDE, np.stack([row] * 10)), 50),
        Case(
            "10 such rows, and as many back",
            as_packed_of(tiny_models.WIDE_BOTH, np.stack([row] * 10)),
            50,
        ),
        Case("levels of 640 x 480, OIP", levels, 100),
        Case("JPEG to 224 x 224", picture, 50),
    ]


def main() -> int:
    """Exits with 1 where a request is answered by an error."""
    given = _parse()
    report = Report()
    report.add("Machine", ["what", "value"], machine.rows())
    trees = {"now": ROOT} if given.tree is None else {"before": given.tree, "now": ROOT}
    with TemporaryDirectory(prefix="tfaas-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        graphs = tiny_models.write(folder / "graphs")
        servers = {
            tree: stack.enter_context(server_of(root, dict(_SETTINGS), folder / tree))
            for tree, root in trees.items()
        }
        for server in servers.values():
            _prepare(server, graphs)
        chosen = [case for case in cases() if given.only in case.name]
        rows = [cells for case in chosen for cells in _measured(case, servers, given.rounds)]
    report.add("CPU time of a request, us", _HEADER, rows)
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tree", type=Path, nargs="?", help="the root of another checkout")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", default="", help="requests whose name holds this")
    return parser.parse_args()


def _json(model: str, row: Array) -> Body:
    content = msgspec.json.encode({"values": row.tolist()})
    return Body(f"/models/{model}/predict/json", "application/json", content, 1)


def _prepare(server: Server, graphs: Mapping[str, Path]) -> None:
    with client(server.url) as to:
        upload(to, NAME)
        for name in (
            *(tiny_models.WIDE, tiny_models.WIDE_BOTH),
            *(tiny_models.COLOUR_224, tiny_models.LEVELS_480X640),
        ):
            upload_graph(to, name, graphs[name])


def _measured(case: Case, servers: Mapping[str, Server], rounds: int) -> list[list[str]]:
    """The medians over the rounds, in which the trees take turns."""
    found: dict[str, list[tuple[float, float]]] = {tree: [] for tree in servers}
    for number in range(rounds):
        for tree in list(servers)[:: -1 if number % 2 else 1]:
            found[tree].append(_round(case, servers[tree]))
    return [
        [
            case.name,
            str(len(case.body.content)),
            tree,
            *(f"{median(side):.0f}" for side in zip(*figures, strict=True)),
        ]
        for tree, figures in found.items()
    ]


def _round(case: Case, server: Server) -> tuple[float, float]:
    address = urlsplit(server.url)
    to = http.client.HTTPConnection(address.hostname or "", address.port)
    try:
        for _ in range(3):
            _ask(to, case)
        parent = psutil.Process(server.pid)
        sides = http_workers(parent), model_processes(parent)
        before = [_cpu_ns(side) for side in sides]
        for _ in range(case.requests):
            _ask(to, case)
        worker, model = (
            (_cpu_ns(side) - since) / case.requests / 1000
            for side, since in zip(sides, before, strict=True)
        )
        return worker, model
    finally:
        to.close()


def _ask(to: http.client.HTTPConnection, case: Case) -> None:
    to.request("POST", case.body.path, case.body.content, case.body.headers)
    answer = to.getresponse()
    content = answer.read()
    if answer.status != 200:
        raise BenchmarkFailedError(f"{case.name} was answered {answer.status}: {content[:200]!r}")


def _cpu_ns(processes: Sequence[psutil.Process]) -> int:
    """Of all their threads, by the scheduler's clock."""
    return sum(
        int(file.read_text().split()[0])
        for process in processes
        for file in Path(f"/proc/{process.pid}/task").glob("*/schedstat")
    )


if __name__ == "__main__":
    sys.exit(main())
