"""The table of models: with the columns that the terminal has room for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console, ConsoleOptions
from rich.table import Table
from rich.text import Text

from tfaas_plugins.top.numbers import count, seconds, size, span

STATES = {"ready": "green", "loading": "yellow", "leaving": "dim"}

_SOFT = "dim"
_WIDE = 10_000
_Row = Mapping[str, Any]

_NUMBERS: dict[str, Callable[[_Row], str]] = {
    "req/s": lambda row: count(row.get("requests_per_s")),
    "p50": lambda row: seconds(row.get("p50_s")),
    "p99": lambda row: seconds(row.get("p99_s")),
    "requests": lambda row: count(row.get("requests")),
    "errors": lambda row: count(row.get("errors")),
    "waiting": lambda row: count(row.get("rows_in_flight")),
    "memory": lambda row: size(row.get("private_bytes")),
    "used": lambda row: span(row.get("idle_s", row.get("last_used_s"))),
}
_FIRST_TO_GO = ("used", "requests", "p50", "waiting", "memory", "errors")


class ModelTable:
    """``rows``: those of ``View``; the first ``most`` of them are shown."""

    def __init__(self, rows: Sequence[_Row], most: int) -> None:
        self._rows = rows
        self._most = most

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Table]:
        for left_out in range(len(_FIRST_TO_GO) + 1):
            gone = _FIRST_TO_GO[:left_out]
            table = self._with([title for title in _NUMBERS if title not in gone])
            wanted = console.measure(table, options=options.update(max_width=_WIDE)).maximum
            if wanted <= options.max_width:
                break
        yield table

    def _with(self, titles: Sequence[str]) -> Table:
        table = Table(box=None, pad_edge=False, header_style=_SOFT)
        table.add_column("model", no_wrap=True, overflow="ellipsis", max_width=40)
        table.add_column("state", no_wrap=True)
        for title in titles:
            table.add_column(title, justify="right", no_wrap=True)
        for row in self._rows[: self._most]:
            state = str(row.get("state", "-"))
            told = Text(state + row.get("times", ""), style=STATES.get(state, _SOFT))
            numbers = [_NUMBERS[title](row) for title in titles]
            table.add_row(Text(str(row["model"])), told, *numbers)
        if len(self._rows) > self._most:
            table.add_row(Text(f"and {len(self._rows) - self._most} more", style=_SOFT))
        return table
