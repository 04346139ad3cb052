"""View: what a server says of itself, as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tfaas_plugins.top.numbers import count, seconds, size, span, sparkline

_LABEL = "dim"
_STATES = {"ready": "green", "loading": "yellow", "leaving": "dim"}


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
        table.add_column(style=_LABEL)
        table.add_column(justify="right", min_width=8)
        table.add_column(style="cyan", no_wrap=True)
        for name, now, values in rows:
            table.add_row(name, now, sparkline(values or ()))
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
        table = Table(box=None, pad_edge=False, header_style=_LABEL)
        table.add_column("model", no_wrap=True, overflow="ellipsis", max_width=40)
        table.add_column("state")
        for title in ("req/s", "p50", "p99", "requests", "errors", "waiting", "memory", "used"):
            table.add_column(title, justify="right", no_wrap=True)
        for row in rows[:most]:
            state = str(row.get("state", "-"))
            table.add_row(
                Text(str(row["model"])),
                Text(state + row.get("times", ""), style=_STATES.get(state, _LABEL)),
                count(row.get("requests_per_s")),
                seconds(row.get("p50_s")),
                seconds(row.get("p99_s")),
                count(row.get("requests")),
                count(row.get("errors")),
                count(row.get("rows_in_flight")),
                size(row.get("private_bytes")),
                span(row.get("idle_s", row.get("last_used_s"))),
            )
        if most is not None and len(rows) > most:
            table.add_row(Text(f"and {len(rows) - most} more", style=_LABEL))
        return table

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
    furthest = min(processes, key=lambda each: [*_STATES, each["state"]].index(each["state"]))
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
