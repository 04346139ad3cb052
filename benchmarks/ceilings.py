"""What answers of a constant cost, beside one row of JSON: ``python -m benchmarks.ceilings``.

The yardstick is ``bare_app.py``, which does nothing at all with a request; nginx takes part where
it is installed. The CPU time is that of all of a server's processes, so that it can be compared on
a busy machine, too.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import msgspec
import psutil

from benchmarks import network, options, servers
from benchmarks.bodies import Body, as_json
from benchmarks.load import Contender, median_ratio
from benchmarks.nginx import is_installed, nginx
from benchmarks.options import Options
from benchmarks.report import Report, by
from benchmarks.servers import Server
from benchmarks.wrk import Load, Round, drive

HEADER = [
    *("connections", "answered by", "requests/s", "p50 µs", "CPU µs a request"),
    *("errors", "ratio", "p50 as a multiple"),
]
COUNTS = (1, 32, 128)
_CONSTANT = "location / { default_type application/json; return 200 '[0.5]'; }"
_WARM_UP_S = 1
_LEAST = {32: 0.3, 128: 0.35}
"""Of what bare answers, by connections."""

_MOST_P50 = 5.0
"""As a multiple of bare's, with one connection."""


class _Driven(msgspec.Struct, frozen=True):
    """One contender's rounds, and the CPU time of a request in each of them."""

    contender: Contender
    rounds: list[Round] = []
    cpu_us: list[float] = []

    @property
    def requests_per_s(self) -> list[float]:
        return [one.requests_per_s for one in self.rounds]

    @property
    def p50_us(self) -> list[float]:
        return [one.p50_us for one in self.rounds]

    def play(self, connections: int, seconds: int) -> None:
        """One more round."""
        server = self.contender.server
        begin_s = _cpu_s(server)
        measured = drive(server, Load(self.contender.bodies, connections), seconds)
        self.cpu_us.append((_cpu_s(server) - begin_s) / max(1, measured.requests) * 1e6)
        self.rounds.append(measured)

    def cells(self, connections: int, bare: _Driven) -> list[str]:
        """Below HEADER."""
        return [
            *(str(connections), self.contender.name, f"{median(self.requests_per_s):.0f}"),
            *(f"{median(self.p50_us):.0f}", f"{median(self.cpu_us):.1f}"),
            str(sum(one.errors for one in self.rounds)),
            f"{median_ratio(self.requests_per_s, bare.requests_per_s):.2f}",
            f"{median_ratio(self.p50_us, bare.p50_us):.1f}",
        ]

    def add_goal(self, report: Report, connections: int, bare: _Driven) -> None:
        """The one that it has with so many connections, if it is a row of JSON."""
        what = f"{self.contender.name}, {by(connections)}"
        if connections == 1:
            multiple = median_ratio(self.p50_us, bare.p50_us)
            report.goal(f"{what}: p50, of bare", multiple, _MOST_P50, at_most=True)
        elif connections in _LEAST:
            ratio = median_ratio(self.requests_per_s, bare.requests_per_s)
            report.goal(f"{what}, of bare", ratio, _LEAST[connections])


def measure(report: Report, given: Options, noop: Server, tfaas: Server, folder: Path) -> int:
    """Adds the table; gives how many errors there were. ``folder`` is a new one, for scratch."""
    folder.mkdir()
    rows: list[list[str]] = []
    errors = 0
    with ExitStack() as stack:
        others = [stack.enter_context(servers.bare())]
        if is_installed():
            others.append(stack.enter_context(nginx("nginx", folder, _CONSTANT)))
        others.append(noop)
        for connections in COUNTS:
            driven = [_Driven(one) for one in _contenders(others, tfaas)]
            for one in driven:
                drive(one.contender.server, Load(one.contender.bodies, connections), _WARM_UP_S)
            for _ in range(given.rounds):
                for one in driven:
                    one.play(connections, given.seconds)
            rows += [one.cells(connections, driven[0]) for one in driven]
            for one in driven:
                if one.contender.server is tfaas:
                    one.add_goal(report, connections, driven[0])
            errors += sum(each.errors for one in driven for each in one.rounds)
    note = "" if is_installed() else "nginx is not installed, and was left out."
    report.add("Ceilings", HEADER, rows, note)
    return errors


def _contenders(others: Sequence[Server], tfaas: Server) -> list[Contender]:
    body = as_json(network.NAME, 1)
    named = f"/models/{network.NAME}/predict/json"
    at_model = Body(named, body.media_type, body.content, body.rows)
    return [
        *(Contender(server.name, server, [body]) for server in others),
        Contender("/json", tfaas, [body]),
        Contender("/models/NAME/predict/json", tfaas, [at_model]),
    ]


def _cpu_s(server: Server) -> float:
    """Of all its processes."""
    parent = psutil.Process(server.pid)
    times = [each.cpu_times() for each in (parent, *parent.children(recursive=True))]
    return float(sum(each.user + each.system for each in times))


def main() -> int:
    """Exits with 1 where a request was answered by an error."""
    given, report = options.parse(__doc__), Report()
    with tempfile.TemporaryDirectory(prefix="tfaas-bench-") as name, servers.noop() as noop:
        folder = Path(name)
        with servers.tfaas(folder / "models") as tfaas:
            with network.client(tfaas.url) as to:
                network.upload(to, network.NAME)
            errors = measure(report, given, noop, tfaas, folder / "nginx")
    report.add_goals()
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
