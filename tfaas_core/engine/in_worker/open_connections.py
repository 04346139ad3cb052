"""OpenConnections: the connections of an HTTP worker, by the versions that they are for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from tfaas_core.engine.beginning import AwaitingRows, BeginsRuns
from tfaas_core.engine.in_worker.connection import ModelConnection
from tfaas_core.engine.in_worker.lines import Lines
from tfaas_core.engine.in_worker.model_connections import ModelConnections
from tfaas_core.models.model import ModelVersion
from tfaas_core.tensors import Array
from tfaas_core.visit import Timing


class OpenConnections(BeginsRuns):
    """One or more for each version in use, and those to uploads, which have no key.

    ``by_key`` has what takes the requests for a version. ``lines``: who waits for a version is
    served before its connection is released.
    """

    def __init__(self, lines: Lines, max_queue_rows: int) -> None:
        self.by_key: dict[str, ModelConnection | ModelConnections] = {}
        self._versions: dict[str, ModelVersion] = {}
        self._by_ticket: dict[int, ModelConnection] = {}
        self._lines = lines
        self._max_queue_rows = max_queue_rows

    def begin(
        self,
        version: ModelVersion,
        inputs: Sequence[Array],
        rows: int,
        awaiting: AwaitingRows,
        timing: Timing | None = None,
    ) -> bool:
        to = self.by_key.get(version.key)
        if to is None:
            return False
        to.begin(awaiting, inputs, rows, False, timing, False, version.place, True)
        return True

    def __iter__(self) -> Iterator[ModelConnection]:
        return iter(list(self._by_ticket.values()))

    def version(self, key: str) -> ModelVersion | None:
        """The version of this key, if it is in use."""
        return self._versions.get(key) if key in self.by_key else None

    def add(self, key: str, version: ModelVersion, ticket: int, to: ModelConnection) -> None:
        """The first connection to a version, or, without a key, one to an upload."""
        self._by_ticket[ticket] = to
        if key:
            self.by_key[key], self._versions[key] = to, version

    def join(self, key: str, ticket: int, to: ModelConnection) -> None:
        """A connection to a further process of a version that is in use."""
        self._by_ticket[ticket] = to
        self._put(key, [*self._of(key), to])

    def knows(self, ticket: int) -> bool:
        """Whether there is a connection of this ticket."""
        return ticket in self._by_ticket

    def pop(self, key: str) -> ModelConnection | ModelConnections | None:
        """What took the requests for a version, which takes no more."""
        self._versions.pop(key, None)
        return self.by_key.pop(key, None)

    def forget(self, key: str, ticket: int, lost: ModelConnection) -> None:
        """It is hung up."""
        self._by_ticket.pop(ticket, None)
        self._drop(key, lost)

    def release(self, ticket: int) -> None:
        """Hangs up as soon as nothing is unanswered, and nobody waits for it."""
        connection = self._by_ticket.get(ticket)
        if connection is None:
            return
        for key in list(self.by_key):
            if self._drop(key, connection) and self._after_line(key, connection.release):
                return
        connection.release()

    def _after_line(self, key: str, call: Callable[[], object]) -> bool:
        # Those in line go to another process, if there is one.
        return key not in self.by_key and self._lines.after(key, call)

    def _of(self, key: str) -> list[ModelConnection]:
        found = self.by_key.get(key)
        return list(found.all) if isinstance(found, ModelConnections) else [found] if found else []

    def _drop(self, key: str, connection: ModelConnection) -> bool:
        """Sends no further request for a version there; False if none would have been."""
        before = self._of(key)
        if connection not in before:
            return False
        self._put(key, [each for each in before if each is not connection])
        return True

    def _put(self, key: str, connections: list[ModelConnection]) -> None:
        if not connections:
            self.pop(key)
        elif len(connections) == 1:
            self.by_key[key] = connections[0]
        else:
            self.by_key[key] = ModelConnections(connections, self._max_queue_rows)
