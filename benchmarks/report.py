"""The report: Markdown tables, printed as they are done, and kept where asked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import msgspec

_GOALS_HEADER = ["what", "measured", "goal", "missed"]


class _Goal(msgspec.Struct, frozen=True):
    """A figure and its limit: the least or, with ``at_most``, the most that it may be."""

    what: str
    value: float
    limit: float
    unit: str
    at_most: bool

    def cells(self) -> list[str]:
        missed = self.value > self.limit if self.at_most else self.value < self.limit
        value = f"{self.value:.1f}" if self.unit else f"{self.value:.2f}"
        limit = f"{self.limit:g}{self.unit}" + (" at most" if self.at_most else "")
        return [self.what, value + self.unit, limit, "missed" if missed else ""]


def by(count: int, what: str = "connection") -> str:
    """So many of them, in words."""
    return f"{count} {what}" + ("" if count == 1 else "s")


class Report:
    """Prints each table when it is done, and keeps it."""

    def __init__(self) -> None:
        self._text = ""
        self._goals: list[_Goal] = []

    def add(
        self, title: str, header: Sequence[str], rows: Sequence[Sequence[str]], note: str = ""
    ) -> None:
        """Adds a Markdown table, and below it a ``note``."""
        widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
        lines = [header, ["-" * width for width in widths], *rows]
        cells = [[c.ljust(w) for c, w in zip(line, widths, strict=True)] for line in lines]
        table = "\n".join(f"| {' | '.join(line)} |" for line in cells)
        section = f"## {title}\n\n{table}\n" + (f"\n{note}\n" if note else "")
        print(section, flush=True)
        self._text += f"\n{section}"

    def goal(
        self, what: str, value: float, limit: float, unit: str = "", at_most: bool = False
    ) -> None:
        """Keeps a figure for the table of goals. Without a ``unit`` it is a ratio."""
        self._goals.append(_Goal(what, value, limit, unit, at_most))

    def add_goals(self) -> None:
        """Adds the table of all goals so far, each with its limit beside it."""
        if self._goals:
            self.add("Goals", _GOALS_HEADER, [one.cells() for one in self._goals])

    def write(self, folder: Path) -> Path:
        """Keeps the whole report as ``DATE.md``, beside the plot, whose path is returned.

        That is yet to be drawn.
        """
        folder.mkdir(parents=True, exist_ok=True)
        today = date.today().isoformat()
        plot = folder / f"{today}.png"
        text = f"# Measured on {today}\n\n![The figures as a plot]({plot.name})\n{self._text}"
        plot.with_suffix(".md").write_text(text, encoding="utf-8")
        return plot
