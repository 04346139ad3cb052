"""EventBus: what takes events from where they happen to observers, switches among them."""

from __future__ import annotations

from collections.abc import Iterator

from tfaas_core.events import ModelEvent, ModelSwitched, Tell
from tfaas_core.models.model import ModelVersion
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


def switches(name: str, before: Model | None, after: Model | None) -> Iterator[ModelSwitched]:
    """Where the requests for a model go from now on that went somewhere else before.

    ``before``, ``after``: None if it is not there then.
    """
    old, new = _targets(before), _targets(after)
    for label in sorted(old.keys() | new.keys()):
        was, now = old.get(label), new.get(label)
        if _key(was) != _key(now):
            numbers = [None if version is None else version.version for version in (was, now)]
            yield ModelSwitched(model=name, label=label, before=numbers[0], version=numbers[1])


def _key(version: ModelVersion | None) -> str:
    return "" if version is None else version.key


def _targets(model: Model | None) -> dict[str, ModelVersion]:
    """The versions that requests go to, by label; "" stands for those that name none."""
    if model is None:
        return {}
    labels = model.pointers.labels
    return {"": model.live} | {label: model.labelled(label) for label in labels}
