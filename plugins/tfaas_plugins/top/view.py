"""View: what a server says of itself, as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tfaas_plugins.top.model_table import STATES, ModelTable
from tfaas_plugins.top.numbers import count, seconds, size, span
from tfaas_plugins.top.sparkline import Sparkline

_LABEL = "dim"


class View(msgspec.Struct, frozen=True):
    """What ``/status`` and ``/status/history`` have answered; the second is empty if it is not
    there. ``fault``: why there is nothing newer, a sentence."""

    status: Mapping[str, Any]
    history: Mapping[str, Any] = {}
    fault: str = ""

    def render(self, url: str, most_models: int | None = None) -> RenderableType:
        """``most_models``: for how many there is room; None: for all."""
        parts = [self._head(url), self._totals(), self._processes(), self._models(most_models)]
        if self.fault:
            parts.insert(1, Text(self.fault, style="bold red"))
        return Group(*(Padding(part, (0, 0, 1, 0)) for part in parts))

    def _head(self, url: str) -> Text:
        status = self.status
        head = Text.assemble(("TFaaS ", "bold"), (str(status.get("version", "?")), "bold"))
        head.append(f"  {url}  up {span(status.get('uptime_s'))}", style=_LABEL)
        for runtime, why in _mapping(status.get("unavailable")).items():
            head.append(f"\n{runtime} cannot be started: {why}", style="red")
        for host in status.get("hosts", ()):
            if why := host.get("why"):
                head.append(f"\n{why}", style="red")
        return head

    def _totals(self) -> RenderableType:
        minute, history = _mapping(self.status.get("last_minute")), self.history
        latencies = _mapping(history.get("latency_s"))
        by_code = _mapping(history.get("errors_per_s")).values()
        errors = [sum(each) for each in zip(*by_code, strict=False)]
        rows = (
            ("requests/s", count(minute.get("requests_per_s")), history.get("requests_per_s")),
            (
                "predictions/s",
                count(minute.get("predictions_per_s")),
                history.get("predictions_per_s"),
            ),
            ("errors/s", count(errors[-1] if errors else None), errors),
            ("p50", seconds(minute.get("p50_s")), latencies.get("p50")),
            ("p99", seconds(minute.get("p99_s")), latencies.get("p99")),
            ("rows of a run", count(minute.get("batch_rows")), history.get("batch_rows")),
            ("rows waiting", count(_queue(self.status)), history.get("queue_rows")),
        )
        table = Table.grid(padding=(0, 2))
        table.add_column(style=_LABEL, no_wrap=True)
        table.add_column(justify="right", min_width=8, no_wrap=True)
        table.add_column(style="cyan")
        for name, now, values in rows:
            table.add_row(name, now, Sparkline(values or ()))
        return table

    def _processes(self) -> RenderableType:
        memory: dict[str, list[int]] = {}
        for process in self.status.get("processes", ()):
            memory.setdefault(process["kind"], []).append(process["private_bytes"] or 0)
        text = Text()
        for kind, sizes in memory.items():
            name = f"{len(sizes)} {kind}" if len(sizes) > 1 else kind
            text.append(f"{name.replace('_', ' ')} ", style=_LABEL)
            text.append(f"{size(sum(sizes))}   ")
        return text

    def _models(self, most: int | None) -> RenderableType:
        rows = sorted(self._rows(), key=_by_use)
        if not rows:
            return Text("No model was asked, and none is loaded.", style=_LABEL)
        return ModelTable(rows, len(rows) if most is None else most)

    def _rows(self) -> Iterable[dict[str, Any]]:
        """A row for each loaded version, and one for each model that was asked and is not loaded.

        What is counted of a model stands at its first version.
        """
        figures = dict(_mapping(self.status.get("figures")))
        by_version: dict[str, list[Mapping[str, Any]]] = {}
        for loaded in self.status.get("models", ()):
            by_version.setdefault(loaded["model"], []).append(loaded)
        for loaded in map(_together, by_version.values()):
            own = figures.pop(loaded["model"].partition("/")[0], {})
            yield {**own, **loaded}
        for name, own in figures.items():
            yield {"model": name, **own}


def _together(processes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One row for all processes of a version; its state is that of the one that is furthest."""
    furthest = min(processes, key=lambda each: [*STATES, each["state"]].index(each["state"]))
    if len(processes) == 1:
        return dict(furthest)
    return {
        **furthest,
        "times": f" x{len(processes)}",
        "rows_in_flight": sum(each["rows_in_flight"] for each in processes),
        "private_bytes": sum(each["private_bytes"] or 0 for each in processes),
        "idle_s": min(each["idle_s"] or 0.0 for each in processes),
    }


def _by_use(row: Mapping[str, Any]) -> tuple[float, str]:
    return -(row.get("requests_per_s") or 0.0), str(row["model"])


def _queue(status: Mapping[str, Any]) -> int:
    return sum(each["rows_in_flight"] for each in status.get("models", ()))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
