"""The report: Markdown tables, printed as they are done, and kept where asked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path


class Report:
    """Prints each table when it is done, and keeps it."""

    def __init__(self) -> None:
        self._text = ""

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
