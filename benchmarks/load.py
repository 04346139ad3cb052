"""Load: wrk drives contenders in turn, and each is compared with the first, the yardstick."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median

import msgspec

from benchmarks.bodies import Body
from benchmarks.network import client
from benchmarks.reading import median_s
from benchmarks.servers import WORKERS, BenchmarkFailedError, Server
from benchmarks.wrk import Load, Round, drive

HEADER = ["connections", "request", "rows", "rows/s", "p50 ms", "p99 ms", "errors", "ratio"]
READING_HEADER = [*HEADER, "reading alone, rows/s", "share"]
_WARM_UP_S = 1


class Contender(msgspec.Struct, frozen=True):
    """A server and what it is sent; ``name`` is for tables.

    ``bodies`` have equally many rows. ``read`` does the least that reading one of them takes.
    """

    name: str
    server: Server
    bodies: Sequence[Body]
    keep_alive: bool = True
    read: Callable[[], object] | None = None

    @property
    def rows(self) -> int:
        return self.bodies[0].rows


class Measured(msgspec.Struct, frozen=True):
    """A contender's rounds, in order, and the seconds of its ``read`` in each of them."""

    contender: Contender
    rounds: list[Round] = []
    read_s: list[float] = []

    @property
    def rows_per_s(self) -> list[float]:
        """Of each round: predictions, however many a request asks for."""
        return [one.requests_per_s * self.contender.rows for one in self.rounds]

    @property
    def read_rows_per_s(self) -> list[float]:
        """Of each round: what all cores could read if they did nothing else."""
        return [WORKERS * self.contender.rows / seconds for seconds in self.read_s]

    def percentile_ms(self, percentile: str) -> float:
        """The median, over the rounds, of this percentile of the latency."""
        return median(one.latency_us[percentile] for one in self.rounds) / 1000

    def play(self, connections: int, seconds: int) -> None:
        """One more round."""
        one = self.contender
        load = Load(one.bodies, connections, one.keep_alive)
        self.rounds.append(drive(one.server, load, seconds))
        if one.read is not None:
            self.read_s.append(median_s(one.read))


class Comparison(msgspec.Struct, frozen=True):
    """Contenders that took turns. The first one is the yardstick."""

    connections: int
    measured: list[Measured]

    def ratio(self, one: Measured, yardstick: Measured | None = None) -> float:
        """The median, over the rounds, of its rows/s as a share of the yardstick's."""
        theirs = (yardstick or self.measured[0]).rows_per_s
        return median_ratio(one.rows_per_s, theirs)

    def ratio_of(self, name: str, yardstick: str = "") -> float:
        """That of the contender of this name, to the first or another one."""
        named = {one.contender.name: one for one in self.measured}
        return self.ratio(named[name], named.get(yardstick))

    @property
    def errors(self) -> int:
        return sum(round_.errors for one in self.measured for round_ in one.rounds)

    def rows(self) -> list[list[str]]:
        """The cells below HEADER, one line a contender."""
        return [
            [str(self.connections), *_cells(one), f"{self.ratio(one):.2f}"] for one in self.measured
        ]

    def reading_rows(self) -> list[list[str]]:
        """The cells below READING_HEADER, one line a contender."""
        pairs = zip(self.rows(), self.measured, strict=True)
        return [[*cells, *_reading_cells(one)] for cells, one in pairs]


def compare(
    contenders: Sequence[Contender],
    connections: int,
    seconds: int,
    rounds: int,
    after_round: Callable[[], object] = lambda: None,
) -> Comparison:
    """Drives each with ``connections`` connections, ``rounds`` times ``seconds`` seconds.

    ``after_round`` is called after each round, while nothing else runs.
    """
    for one in contenders:
        _warm_up(one, connections)
    comparison = Comparison(connections, [Measured(one) for one in contenders])
    for _ in range(rounds):
        for measured in comparison.measured:
            measured.play(connections, seconds)
        after_round()
    return comparison


def median_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median, over the rounds, of one figure as a share of another of the same round."""
    return median(one / other for one, other in zip(ours, theirs, strict=True))


def _warm_up(one: Contender, connections: int) -> None:
    with client(one.server.url) as to:
        for body in one.bodies:
            answer = to.post(body.path, content=body.content, headers=body.headers)
            if answer.status_code != 200:
                raise BenchmarkFailedError(
                    f"{one.name} is answered {answer.status_code}: {answer.text}"
                )
    load = Load(one.bodies, connections, one.keep_alive)
    if errors := drive(one.server, load, _WARM_UP_S).errors:
        raise BenchmarkFailedError(f"{one.name} has {errors} errors while warming up")


def _cells(one: Measured) -> list[str]:
    return [
        one.contender.name,
        str(one.contender.rows),
        f"{median(one.rows_per_s):.0f}",
        f"{one.percentile_ms('50'):.2f}",
        f"{one.percentile_ms('99'):.2f}",
        str(sum(round_.errors for round_ in one.rounds)),
    ]


def _reading_cells(one: Measured) -> list[str]:
    if not one.read_s:
        return ["", ""]
    share = median_ratio(one.rows_per_s, one.read_rows_per_s)
    return [f"{median(one.read_rows_per_s):.0f}", f"{share:.2f}"]
