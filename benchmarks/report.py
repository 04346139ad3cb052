"""The report: Markdown tables, printed as they are done, and kept where asked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

_RESULTS = Path(__file__).with_name("results")


class Report:
    """Prints each table when it is done, and keeps it."""

    def __init__(self) -> None:
        self._text = ""

    def add(self, title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Adds a Markdown table."""
        widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
        lines = [header, ["-" * width for width in widths], *rows]
        cells = [[c.ljust(w) for c, w in zip(line, widths, strict=True)] for line in lines]
        table = "\n".join(f"| {' | '.join(line)} |" for line in cells)
        section = f"## {title}\n\n{table}\n"
        print(section, flush=True)
        self._text += f"\n{section}"

    def write(self) -> None:
        """Keeps the whole report under today's date."""
        _RESULTS.mkdir(exist_ok=True)
        today = date.today().isoformat()
        path = _RESULTS / f"{today}.md"
        path.write_text(f"# Measured on {today}\n{self._text}", encoding="utf-8")
