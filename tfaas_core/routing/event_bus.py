"""EventBus: what takes events from where they happen to observers."""

from __future__ import annotations

from tfaas_core.events import ModelEvent, Tell
from tfaas_core.models.switches import switches
from tfaas_core.models.versions import Model
from tfaas_core.routing.observers import Observers


class EventBus:
    """Takes events from an HTTP worker. ``send`` takes them to the parent, which has one worker
    tell its observers; None: these are the only ones. ``observers`` are there once plugins were
    asked for them; what happened before is not told.
    """

    def __init__(self, send: Tell | None = None) -> None:
        self.observers = Observers()
        self._send = send

    def tell(self, event: ModelEvent) -> None:
        """Does nothing if nobody listens."""
        if not self.observers.hear_events:
            return
        if self._send is None:
            self.observers.happened(event)
        else:
            self._send(event)

    def switched(self, name: str, before: Model | None, after: Model | None) -> None:
        """Tells of where the requests for the model ``name`` go from now on, see ``switches``."""
        if self.observers.hear_events:
            for event in switches(name, before, after):
                self.tell(event)
