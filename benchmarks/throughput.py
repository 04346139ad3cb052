"""Throughput and latency of every kind of request, as ratios to the no-op's."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import msgspec

from benchmarks import contenders, load
from benchmarks.load import Comparison, Contender
from benchmarks.options import Options
from benchmarks.report import Report, by
from benchmarks.servers import Server
from benchmarks.tensorflow_call import tensorflow_call

BATCH_ROWS = (10, 100, 1000, 10_000)
GOALS = {32: 0.8, 128: 0.9}
"""Least ratios of a row by JSON to the no-op, by connections."""

_IMAGE_GOAL, _IMAGE_CONNECTIONS = 0.6, 128
_BATCH_GOALS = {contenders.LISTS: 0.6, contenders.DATA_FRAME: 0.8}
_PROTOCOL_GOALS = {
    contenders.INSTANCES: 0.9,
    contenders.COLUMNS: 0.9,
    contenders.OIP_JSON: 0.9,
    contenders.OIP_BINARY: 1.0,
}
_BATCH_CONNECTIONS = 4
_PICTURE_CONNECTIONS = 8
_SEVERAL_CONNECTIONS = 128
_ONE_HEADER = ["what", "median ms", "share"]


class Throughput(msgspec.Struct, frozen=True):
    """All comparisons; the plot shows those of one row, by connections, and those of JSON batches,
    by rows."""

    one_row: list[Comparison]
    json_batches: list[Comparison]
    others: list[Comparison]

    @property
    def errors(self) -> int:
        return sum(one.errors for one in [*self.one_row, *self.json_batches, *self.others])


def measure(report: Report, options: Options, noop: Server, tfaas: Server) -> Throughput:
    """Measures everything, and adds a table for each kind."""
    one_row = _one_row(report, options, noop, tfaas)

    def compared(who: Sequence[Contender], connections: int) -> Comparison:
        return load.compare(who, connections, options.seconds, options.rounds)

    def reported(title: str, who: Sequence[Contender], counts: Sequence[int]) -> list[Comparison]:
        found = [compared(who, connections) for connections in counts]
        report.add(title, load.HEADER, [row for one in found for row in one.rows()])
        return found

    several_counts = [min(_SEVERAL_CONNECTIONS, max(options.connections))]
    several = contenders.several_models(noop, tfaas)
    others = reported("Three models at once", several, several_counts)
    new = contenders.new_connections(noop, tfaas)
    others += reported("New connections", new, options.connections)

    sizes = [contenders.json_batches(noop, tfaas, rows) for rows in BATCH_ROWS]
    json_batches = [compared(size, _BATCH_CONNECTIONS) for size in sizes]
    rows = [row for one in json_batches for row in one.reading_rows()]
    report.add("Batches by JSON", load.READING_HEADER, rows)
    batches = contenders.batches(noop, tfaas)
    by_codec = reported("Batches by every codec", batches, [_BATCH_CONNECTIONS])

    protocols = reported(
        "Protocols, one row", contenders.protocols(noop, tfaas, 1), options.connections
    )
    many = contenders.protocols(noop, tfaas, contenders.BATCH_ROWS)
    others += reported("Protocols, 1000 rows", many, [_BATCH_CONNECTIONS])

    pictures = compared(contenders.pictures(noop, tfaas), _PICTURE_CONNECTIONS)
    report.add("Pictures", load.READING_HEADER, pictures.reading_rows())
    _add_goals(report, one_row, by_codec, protocols)
    return Throughput(one_row, json_batches, [*others, *by_codec, *protocols, pictures])


def _add_goals(
    report: Report,
    one_row: Sequence[Comparison],
    by_codec: Sequence[Comparison],
    protocols: Sequence[Comparison],
) -> None:
    for one in one_row:
        if limit := GOALS.get(one.connections):
            what = f"a row by JSON, {by(one.connections)}, of the no-op"
            report.goal(what, one.ratio_of(contenders.GRAPH), limit)
        if one.connections == _IMAGE_CONNECTIONS:
            what = f"an 8 x 8 PNG, {by(one.connections)}, of the no-op"
            report.goal(what, one.ratio_of(contenders.IMAGE), _IMAGE_GOAL)
    for one in by_codec:
        for name, limit in _BATCH_GOALS.items():
            what = f"{contenders.BATCH_ROWS} rows, {name}, of the no-op"
            report.goal(what, one.ratio_of(name), limit)
    for one in protocols:
        for name, limit in _PROTOCOL_GOALS.items():
            what = f"{name}, {by(one.connections)}, of /json"
            report.goal(what, one.ratio_of(name, contenders.GRAPH), limit)


def _one_row(report: Report, options: Options, noop: Server, tfaas: Server) -> list[Comparison]:
    """By connections; with one connection, TensorFlow alone takes its turn, too."""
    who = contenders.one_row(noop, tfaas)
    calls_us: list[float] = []
    rounds = []
    with tensorflow_call() as call:
        for connections in options.connections:

            def after_round(alone: bool = connections == 1) -> None:
                if alone:
                    calls_us.extend(call.measured())

            rounds.append(
                load.compare(who, connections, options.seconds, options.rounds, after_round)
            )
    report.add("One row", load.HEADER, [row for one in rounds for row in one.rows()])
    for comparison in rounds:
        if comparison.connections == 1:
            figures = _one_rows(comparison, calls_us)
            report.add("One row, one connection", _ONE_HEADER, figures)
            what = "a row by JSON, 1 connection: p50, of the no-op's and a call of TensorFlow"
            report.goal(what, float(figures[-1][-1]), 1.0, at_most=True)
    return rounds


def _one_rows(comparison: Comparison, calls_us: Sequence[float]) -> list[list[str]]:
    """p50 beside that of the no-op and one call of TensorFlow, of the same rounds."""
    noop_us, ours_us = ([one.p50_us for one in m.rounds] for m in comparison.measured[:2])
    goal_us = [noop + call for noop, call in zip(noop_us, calls_us, strict=True)]
    figures = {
        "p50 of the no-op": noop_us,
        "one call of TensorFlow": calls_us,
        "both": goal_us,
        "p50 of the graph by JSON": ours_us,
    }
    return [
        [what, f"{median(us) / 1000:.3f}", f"{load.median_ratio(us, goal_us):.2f}"]
        for what, us in figures.items()
    ]
