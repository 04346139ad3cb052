"""Lines: requests that wait for a connection to their version, and what waits for them."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from tfaas_core.engine.in_worker.queue import queue_full
from tfaas_core.models.model import ModelVersion


class _Line(msgspec.Struct):
    requests: int = 0
    rows: int = 0
    afterwards: list[Callable[[], object]] = msgspec.field(default_factory=list)


class Lines:
    """A line for each version that is being connected, of ``max_rows`` at most."""

    def __init__(self, max_rows: int) -> None:
        self._max_rows = max_rows
        self._lines: dict[str, _Line] = {}

    def enter(self, version: ModelVersion, rows: int) -> None:
        """A request begins to wait. Raises QueueFull."""
        line = self._lines.get(version.key) or _Line()
        if line.rows + rows > self._max_rows:
            raise queue_full(line.rows, version.name, until=" to load")
        self._lines[version.key] = line
        line.requests += 1
        line.rows += rows

    def leave(self, version: ModelVersion, rows: int) -> None:
        """A request waits no more; after the last one comes what waited for them."""
        line = self._lines[version.key]
        line.requests -= 1
        line.rows -= rows
        if line.requests:
            return
        del self._lines[version.key]
        for call in line.afterwards:
            call()

    def after(self, key: str, call: Callable[[], object]) -> bool:
        """Has ``call`` called after the last request in line; False if there is none."""
        line = self._lines.get(key)
        if line is not None:
            line.afterwards.append(call)
        return line is not None
