"""Lines: the requests of an HTTP worker that wait for connections to versions."""

from __future__ import annotations

import msgspec

from tfaas_core.engine.in_worker.connection import ModelConnection
from tfaas_core.engine.in_worker.queue import check_room
from tfaas_core.models.model import ModelVersion


class Line(msgspec.Struct):
    """Requests that wait for a connection to a version, and what has to wait for them."""

    requests: int = 0
    rows: int = 0
    retired: bool = False
    released: list[ModelConnection] = msgspec.field(default_factory=list)


class Lines:
    """One line for each version that somebody waits for."""

    def __init__(self, most_rows: int) -> None:
        self._most_rows = most_rows
        self._lines: dict[str, Line] = {}

    def of(self, key: str) -> Line | None:
        """Those who wait for the version of this key; None: nobody does."""
        return self._lines.get(key)

    def join(self, version: ModelVersion, rows: int) -> None:
        """One more request of so many rows; raises QueueFull."""
        line = self._lines.get(version.key) or Line()
        check_room(line.rows, rows, self._most_rows, version.name, until=" to load")
        self._lines[version.key] = line
        line.requests += 1
        line.rows += rows

    def leave(self, version: ModelVersion, rows: int) -> Line | None:
        """One that joined leaves; gives the line if it was the last one there."""
        line = self._lines[version.key]
        line.requests -= 1
        line.rows -= rows
        return None if line.requests else self._lines.pop(version.key)
