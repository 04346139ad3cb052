"""Load: wrk drives contenders in turn, and each is compared with the first, the yardstick."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import msgspec

from benchmarks.bodies import Body
from benchmarks.network import client
from benchmarks.servers import BenchmarkFailedError, Server
from benchmarks.wrk import Round, drive

HEADER = ["connections", "request", "rows", "rows/s", "p50 ms", "p99 ms", "errors", "ratio"]
_WARM_UP_S = 1


class Contender(msgspec.Struct, frozen=True):
    """A server and what it is sent; ``name`` is for tables."""

    name: str
    server: Server
    body: Body


class Measured(msgspec.Struct, frozen=True):
    """A contender's rounds, in order."""

    contender: Contender
    rounds: list[Round]

    @property
    def rows_per_s(self) -> list[float]:
        """Of each round: predictions, however many a request asks for."""
        return [one.requests_per_s * self.contender.body.rows for one in self.rounds]


class Comparison(msgspec.Struct, frozen=True):
    """Contenders that took turns. The first one is the yardstick."""

    connections: int
    measured: list[Measured]

    def ratio(self, one: Measured) -> float:
        """The median, over the rounds, of its rows/s as a share of the yardstick's."""
        pairs = zip(one.rows_per_s, self.measured[0].rows_per_s, strict=True)
        return median(ours / theirs for ours, theirs in pairs)

    @property
    def errors(self) -> int:
        return sum(round_.errors for one in self.measured for round_ in one.rounds)

    def rows(self) -> list[list[str]]:
        """The cells below HEADER, one line a contender."""
        return [
            [str(self.connections), *_cells(one), f"{self.ratio(one):.2f}"] for one in self.measured
        ]


def compare(
    contenders: Sequence[Contender], connections: int, seconds: int, rounds: int
) -> Comparison:
    """Drives each with ``connections`` connections, ``rounds`` times ``seconds`` seconds."""
    for one in contenders:
        _warm_up(one, connections)
    comparison = Comparison(connections, [Measured(one, []) for one in contenders])
    for _ in range(rounds):
        for measured in comparison.measured:
            one = measured.contender
            measured.rounds.append(drive(one.server, one.body, connections, seconds))
    return comparison


def _warm_up(one: Contender, connections: int) -> None:
    with client(one.server.url) as to:
        headers = {"Content-Type": one.body.media_type}
        answer = to.post(one.body.path, content=one.body.content, headers=headers)
    if answer.status_code != 200:
        raise BenchmarkFailedError(f"{one.name} is answered {answer.status_code}: {answer.text}")
    if errors := drive(one.server, one.body, connections, _WARM_UP_S).errors:
        raise BenchmarkFailedError(f"{one.name} has {errors} errors while warming up")


def _cells(one: Measured) -> list[str]:
    return [
        one.contender.name,
        str(one.contender.body.rows),
        f"{median(one.rows_per_s):.0f}",
        f"{median(round_.p50_us for round_ in one.rounds) / 1000:.2f}",
        f"{median(round_.p99_us for round_ in one.rounds) / 1000:.2f}",
        str(sum(round_.errors for round_ in one.rounds)),
    ]
