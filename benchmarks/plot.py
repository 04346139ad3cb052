"""The plot: the figures that say most, as one picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from benchmarks.contenders import GRAPH, NOOP
from benchmarks.load import Comparison, Measured
from benchmarks.soak import Soak
from benchmarks.throughput import GOALS, Throughput

_GREY = "#8a8f98"
_COLOURS = ("#1f5fa8", "#d9722e", "#2f8f5b", "#8c4fa3", "#b0413e", "#5b6770")
_PERCENTILES = ("50", "75", "90", "99", "99.9")


def draw(path: Path, measured: Throughput, soak: Soak, caption: str) -> None:
    """Writes a PNG. ``caption`` says what machine and versions the figures belong to."""
    figure = Figure(
        figsize=(12.5, 9.4), layout=ConstrainedLayoutEngine(h_pad=0.12, w_pad=0.12), dpi=120
    )
    (ratios, batches), (latency, memory) = figure.subplots(2, 2)
    _ratios(ratios, measured.one_row)
    _batches(batches, measured.json_batches)
    _latency(latency, measured.one_row)
    _memory(memory, soak)
    for axes in (ratios, batches, latency, memory):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="#e3e5e8", linewidth=0.8)
        axes.set_axisbelow(True)
    figure.supxlabel(caption, fontsize=8, color="#5b6770")
    figure.savefig(path)


def _ratios(axes: Axes, comparisons: Sequence[Comparison]) -> None:
    axes.set_title("One row: requests/s as a share of the no-op's", loc="left", fontweight="bold")
    labels = [str(one.connections) for one in comparisons]
    axes.axhline(1, color=_GREY, linewidth=1.2, linestyle="--")
    highest = 1.0
    names = [one.contender.name for one in comparisons[0].measured[1:]]
    for index, (name, colour) in enumerate(zip(names, _COLOURS, strict=False), start=1):
        shares = [one.ratio(one.measured[index]) for one in comparisons]
        highest = max([highest, *shares])
        axes.plot(labels, shares, "o-", color=colour, label=name, linewidth=1.8, markersize=5)
    for place, comparison in enumerate(comparisons):
        if comparison.connections in GOALS:
            goal = GOALS[comparison.connections]
            label = "goal, JSON" if comparison.connections == max(GOALS) else ""
            axes.hlines(
                goal, place - 0.2, place + 0.2, color="black", linewidth=2.2, label=label, zorder=3
            )
    axes.annotate("the no-op", (0, 1), xytext=(0, 4), textcoords="offset points", color=_GREY)
    axes.set_ylim(0, highest * 1.3)
    axes.margins(x=0.08)
    axes.set_xlabel("connections")
    axes.legend(frameon=False, fontsize=8.5, ncols=3, loc="upper left")


def _batches(axes: Axes, comparisons: Sequence[Comparison]) -> None:
    axes.set_title("Batches by JSON: rows/s", loc="left", fontweight="bold")
    sizes = [one.measured[0].contender.rows for one in comparisons]
    read = [median(one.measured[1].read_rows_per_s) for one in comparisons]
    axes.plot(sizes, read, ":", color="black", label="reading alone, on all cores", linewidth=1.6)
    for index, (name, colour) in enumerate([(NOOP, _GREY), (GRAPH, _COLOURS[0])]):
        rows = [median(one.measured[index].rows_per_s) for one in comparisons]
        axes.plot(sizes, rows, "o-", color=colour, label=name, linewidth=1.8, markersize=5)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.minorticks_off()
    axes.set_xlabel("rows in a request")
    _legend_above(axes)


def _latency(axes: Axes, comparisons: Sequence[Comparison]) -> None:
    axes.set_title("One row, graph by JSON: latency in ms", loc="left", fontweight="bold")
    for comparison, colour in zip(comparisons, _COLOURS, strict=False):
        noop, graph = comparison.measured[:2]
        connections = comparison.connections
        plural = "s" if connections > 1 else ""
        label = f"{connections} connection{plural}"
        _percentiles(axes, graph, "o-", colour, label)
        _percentiles(axes, noop, "--", colour, None)
    axes.plot([], [], "--", color=_GREY, label="no-op, same colour")
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_xlabel("percentile")
    _legend_above(axes)


def _legend_above(axes: Axes) -> None:
    """In room of its own above all lines of a logarithmic axis."""
    bottom, top = axes.get_ylim()
    axes.set_ylim(bottom, top * (top / bottom) ** 0.2)
    axes.legend(frameon=False, fontsize=8.5, ncols=3, loc="upper left")


def _percentiles(axes: Axes, one: Measured, style: str, colour: str, label: str | None) -> None:
    values = [one.percentile_ms(percentile) for percentile in _PERCENTILES]
    width = 1.8 if style == "o-" else 1.2
    axes.plot(_PERCENTILES, values, style, color=colour, label=label, linewidth=width, markersize=5)


def _memory(axes: Axes, soak: Soak) -> None:
    axes.set_title("Soak: memory of all processes in MB", loc="left", fontweight="bold")
    times = [one.at_s for one in soak.samples]
    proportional = [one.size.proportional / 1e6 for one in soak.samples]
    private = [one.size.private / 1e6 for one in soak.samples]
    axes.plot(times, proportional, color=_COLOURS[0], label="with what they share", linewidth=1.4)
    own = [one.size.own / 1e6 for one in soak.samples]
    axes.plot(times, private, color=_COLOURS[1], label="private", linewidth=1.4)
    axes.plot(times, own, color=_COLOURS[2], label="without pages of files", linewidth=1.4)
    axes.set_ylim(0, max(proportional, default=1) * 1.25)
    axes.set_xlabel("seconds of full load, a model coming or going every two seconds")
    axes.legend(frameon=False, fontsize=8.5, ncols=3)
