"""The neighbour: what a small model suffers while a slow one, or something else, is kept busy.

Alone, ``python -m benchmarks.neighbour`` prints the tables.
"""

from __future__ import annotations

import http.client
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import msgspec
import numpy as np

from benchmarks import machine, tiny_models
from benchmarks.bodies import Body, as_json, as_packed_of
from benchmarks.load import median_ratio
from benchmarks.network import NAME, client, predict, upload, upload_graph
from benchmarks.options import Options, parse
from benchmarks.report import Report, by
from benchmarks.servers import BenchmarkFailedError, Server, tfaas
from benchmarks.tiny_models import BURNING, FEATURES, WAITING, WIDE
from benchmarks.wrk import Load, Round, drive, drive_during

HEADER = ["connections", "meanwhile", "p50 ms", "change", "p99 ms", "change", "errors"]
SLOW_HEADER = ["slow model", "requests/s", "p50 ms", "errors"]
CONNECTIONS = (1, 8)
SLOW_CONNECTIONS = 4
_ALONE = "nothing"
_PROGRAM = "a program that burns one core"
_STREAM = "requests of 1 MB, 50 a second"
_NEXT_S = 1 / 50
_MOST = 1.2
"""The p50 beside others, as a multiple of that alone."""

_LARGE = as_packed_of(WIDE, np.ones((7, FEATURES)))


class Neighbour(msgspec.Struct, frozen=True):
    """Rounds of the small model by connections and by what else was going on; and those of the
    slow models themselves."""

    small: dict[int, dict[str, list[Round]]]
    slow: dict[str, list[Round]]

    @property
    def errors(self) -> int:
        rounds = [*self.slow.values(), *(r for by in self.small.values() for r in by.values())]
        return sum(one.errors for some in rounds for one in some)

    def rows(self) -> list[list[str]]:
        """The cells below HEADER. The change of the median to that alone, in percent."""
        return [
            [str(connections), meanwhile, *_cells(rounds, by[_ALONE])]
            for connections, by in self.small.items()
            for meanwhile, rounds in by.items()
        ]

    def add_goals(self, report: Report) -> None:
        """A program that is no part of the server has none."""
        for connections, situations in self.small.items():
            for meanwhile, rounds in situations.items():
                if meanwhile not in (_ALONE, _PROGRAM):
                    both = rounds, situations[_ALONE]
                    p50s = ([one.p50_us for one in some] for some in both)
                    what = f"p50 of a small model beside {meanwhile}, {by(connections)}"
                    report.goal(f"{what}, of alone", median_ratio(*p50s), _MOST, at_most=True)

    def slow_rows(self) -> list[list[str]]:
        """The cells below SLOW_HEADER."""
        return [
            [
                name,
                f"{median(one.requests_per_s for one in rounds):.1f}",
                f"{median(one.p50_us for one in rounds) / 1000:.0f}",
                str(sum(one.errors for one in rounds)),
            ]
            for name, rounds in self.slow.items()
        ]


def measure(storage: Path, options: Options, graphs: Mapping[str, Path]) -> Neighbour:
    """Alternates alone, beside each slow model, beside a program that is no part of the server, and
    beside a stream of large requests.

    Models have one thread each: a slow one burns one core at most.
    """
    small = Load([as_json(NAME, 1)], 1)
    settings = {"engine.threads": 1, "models.allow_ops": '["SleepDataset"]'}
    with tfaas(storage, settings) as server:
        with client(server.url) as to:
            upload(to, NAME)
            predict(to, NAME)
            for name in (WAITING, BURNING, WIDE):
                upload_graph(to, name, graphs[name])
        situations: dict[str, Callable[[Callable[[], None]], Round | None]] = {
            _ALONE: _alone,
            f"the {WAITING} model": lambda work: _beside(server, WAITING, work),
            f"the {BURNING} model": lambda work: _beside(server, BURNING, work),
            _PROGRAM: _beside_program,
            _STREAM: lambda work: _beside_stream(server, work),
        }
        found = Neighbour({count: {s: [] for s in situations} for count in CONNECTIONS}, {})
        for _ in range(options.rounds):
            for situation, during in situations.items():
                _round(found, situation, during, server, small, options.seconds)
    return found


def _round(
    found: Neighbour,
    situation: str,
    during: Callable[[Callable[[], None]], Round | None],
    server: Server,
    small: Load,
    seconds: int,
) -> None:
    def work() -> None:
        for connections in CONNECTIONS:
            load = msgspec.structs.replace(small, connections=connections)
            found.small[connections][situation].append(drive(server, load, seconds))

    slow = during(work)
    if slow is not None:
        found.slow.setdefault(situation, []).append(slow)


def _alone(work: Callable[[], None]) -> None:
    work()


def _beside(server: Server, model: str, work: Callable[[], None]) -> Round:
    content = msgspec.json.encode({"values": [1.0], "model": model})
    body = Body("/json", "application/json", content, 1)
    return drive_during(server, Load([body], SLOW_CONNECTIONS), work)


def _beside_program(work: Callable[[], None]) -> None:
    burn = [sys.executable, "-c", "while True: pass"]
    with subprocess.Popen(burn, start_new_session=True) as process:
        try:
            work()
        finally:
            process.kill()


def _beside_stream(server: Server, work: Callable[[], None]) -> None:
    ended = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        streaming = pool.submit(_stream, server, ended)
        try:
            work()
        finally:
            ended.set()
        streaming.result()


def _stream(server: Server, ended: threading.Event) -> None:
    address = urlsplit(server.url)
    to = http.client.HTTPConnection(address.hostname or "", address.port)
    next_s = time.monotonic()
    while not ended.wait(next_s - time.monotonic()):
        next_s += _NEXT_S
        to.request("POST", _LARGE.path, _LARGE.content, _LARGE.headers)
        answer = to.getresponse()
        if answer.status != 200:
            raise BenchmarkFailedError(f"{_STREAM}: answered {answer.status}: {answer.read()!r}")
        answer.read()
    to.close()


def _cells(rounds: list[Round], alone: list[Round]) -> list[str]:
    cells = []
    for percentile in ("50", "99"):
        own, base = ([one.latency_us[percentile] for one in some] for some in (rounds, alone))
        change = "" if rounds is alone else f"{median_ratio(own, base) - 1:+.0%}"
        cells += [f"{median(own) / 1000:.2f}", change]
    return [*cells, str(sum(one.errors for one in rounds))]


def main() -> int:
    """Exits with 1 where a request is answered by an error."""
    options, report = parse(__doc__), Report()
    report.add("Machine", ["what", "value"], machine.rows())
    with TemporaryDirectory(prefix="tfaas-bench-") as folder:
        graphs = tiny_models.write(Path(folder) / "graphs")
        found = measure(Path(folder) / "models", options, graphs)
    report.add("Latency of a small model", HEADER, found.rows())
    report.add("The slow models meanwhile", SLOW_HEADER, found.slow_rows())
    found.add_goals(report)
    report.add_goals()
    return 1 if found.errors else 0


if __name__ == "__main__":
    sys.exit(main())
