"""A sparkline: bars, the latest on the right; a narrow terminal shows fewer of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console, ConsoleOptions
from rich.measure import Measurement
from rich.text import Text

from tfaas_plugins.top.numbers import sparkline


class Sparkline:
    """Of numbers, the oldest first; None is a gap."""

    def __init__(self, values: Sequence[float | None]) -> None:
        self._bars = sparkline(values)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(1, max(1, len(self._bars))).with_maximum(options.max_width)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        yield Text(self._bars[-options.max_width :], no_wrap=True)
