"""Throughput and latency: wrk drives the contenders in turn with the same one-row requests."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import msgspec

from benchmarks.network import REQUEST
from benchmarks.servers import BenchmarkFailedError, Server

_WRK = "wrk"
_SCRIPT = Path(__file__).with_name("post.lua")
_WARM_UP_S = 1
_TIMEOUT_S = 60
"""Long, because a slow answer is slow, and not an error."""


class Round(msgspec.Struct, frozen=True):
    """What wrk measured of one server in one round. ``errors``: anything but an answer below 400,
    at the level of HTTP or of the socket."""

    requests: int
    duration_us: int
    p50_us: int
    p99_us: int
    errors: int

    @property
    def requests_per_s(self) -> float:
        return self.requests / self.duration_us * 1e6


class Comparison(msgspec.Struct, frozen=True):
    """The rounds of TFaaS and of the no-op, pairwise one after the other."""

    connections: int
    tfaas: list[Round]
    noop: list[Round]

    @property
    def ratio(self) -> float:
        """The median, over the rounds, of TFaaS's requests/s as a share of the no-op's."""
        pairs = zip(self.tfaas, self.noop, strict=True)
        return median(ours.requests_per_s / theirs.requests_per_s for ours, theirs in pairs)

    @property
    def errors(self) -> int:
        return sum(one.errors for one in [*self.tfaas, *self.noop])


def compare(tfaas: Server, noop: Server, connections: int, seconds: int, rounds: int) -> Comparison:
    """Drives both with ``connections`` connections, ``rounds`` times ``seconds`` seconds each."""
    for server in (tfaas, noop):
        if errors := drive(server, connections, _WARM_UP_S).errors:
            raise BenchmarkFailedError(f"{server.name} answered {errors} errors while warming up")
    comparison = Comparison(connections, [], [])
    for _ in range(rounds):
        comparison.tfaas.append(drive(tfaas, connections, seconds))
        comparison.noop.append(drive(noop, connections, seconds))
    return comparison


def drive(server: Server, connections: int, seconds: int) -> Round:
    """One run of wrk; raises BenchmarkFailedError where wrk fails or nothing is answered."""
    numbers = {"-t": min(connections, 2), "-c": connections, "-d": seconds, "--timeout": _TIMEOUT_S}
    command = [_WRK, *(str(part) for pair in numbers.items() for part in pair)]
    command += ["-s", str(_SCRIPT), f"{server.url}/json", "--", REQUEST.decode()]
    try:
        run = subprocess.run(command, capture_output=True, text=True, check=True)
    except FileNotFoundError:
        raise BenchmarkFailedError("wrk is not installed: apt-get install wrk") from None
    except subprocess.CalledProcessError as error:
        raise BenchmarkFailedError(f"wrk failed: {error.stderr or error.stdout}") from None
    measured = msgspec.json.decode(run.stdout.splitlines()[-1], type=Round)
    if not measured.requests:
        raise BenchmarkFailedError(f"{server.name} answered nothing in {seconds} s")
    return measured


def rows(comparisons: Sequence[Comparison]) -> list[list[str]]:
    """The table's cells: for each number of connections, TFaaS and the no-op."""
    found = []
    for one in comparisons:
        for name, rounds, ratio in (
            ("TFaaS", one.tfaas, f"{one.ratio:.2f}"),
            ("no-op", one.noop, ""),
        ):
            found.append([str(one.connections), name, *_cells(rounds), ratio])
    return found


def _cells(rounds: Sequence[Round]) -> list[str]:
    return [
        f"{median(one.requests_per_s for one in rounds):.0f}",
        f"{median(one.p50_us for one in rounds) / 1000:.2f}",
        f"{median(one.p99_us for one in rounds) / 1000:.2f}",
        str(sum(one.errors for one in rounds)),
    ]
