"""Teller: has one HTTP worker tell its observers of each event."""

from __future__ import annotations

from collections import deque

from tfaas_core.events import ModelEvent, ModelSwitched
from tfaas_core.processes.in_parent.worker_process import WorkerProcess
from tfaas_core.processes.messages import Happened

_MOST_WAITING = 1000
"""A worker is started again within seconds, in which not more happens."""


class Teller:
    """Takes events to the worker that has been serving for longest, of those with observers.

    While there is none, they wait for the next. All methods belong to the parent's event loop.
    """

    def __init__(self) -> None:
        self._listening: list[WorkerProcess] = []
        self._waiting: deque[ModelEvent] = deque(maxlen=_MOST_WAITING)
        self._nobody_listens = False

    def serves(self, worker: WorkerProcess, hears_events: bool) -> None:
        """A worker serves; whether it has observers that events concern."""
        # All workers have the same plugins.
        self._nobody_listens = not hears_events
        if hears_events:
            self._listening.append(worker)
        waiting, self._waiting = self._waiting, deque(maxlen=_MOST_WAITING)
        for event in waiting:
            self.tell(event)

    def gone(self, worker: WorkerProcess) -> None:
        """A worker is no more, whether it served or not."""
        if worker in self._listening:
            self._listening.remove(worker)

    def heard(self, worker: WorkerProcess, event: ModelEvent) -> None:
        """Something happened in a worker."""
        # Each of them switches; only what one of them does is told.
        if not isinstance(event, ModelSwitched) or self._listening[:1] == [worker]:
            self.tell(event)

    def tell(self, event: ModelEvent) -> None:
        """Something happened, wherever that was. Raises TypeError if it cannot be sent."""
        if self._listening:
            self._listening[0].send(Happened(event))
        elif not self._nobody_listens:
            self._waiting.append(event)
