"""Observers: all observers of an HTTP worker, as one."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from tfaas_core.events import (
    ModelCrashed,
    ModelEvent,
    ModelLoaded,
    ModelSwitched,
    ModelUnloaded,
    ModelUploaded,
)
from tfaas_core.observer import Answered, Observer

_SILENT_S = 60.0

_METHODS: dict[type[ModelEvent], str] = {
    ModelUploaded: "uploaded",
    ModelSwitched: "switched",
    ModelLoaded: "loaded",
    ModelUnloaded: "unloaded",
    ModelCrashed: "crashed",
}

_Listener: TypeAlias = tuple[int, Callable[[Any], None]]

_log = logging.getLogger("tfaas.observers")


class Observers:
    """Tells each of them; ``owned``: each with the module of its plugin."""

    def __init__(self, owned: Iterable[tuple[Observer, str]] = ()) -> None:
        self._observers = tuple(owned)
        self._of_answers = self._listeners("answered")
        self._of_events = {kind: self._listeners(method) for kind, method in _METHODS.items()}
        self._silent_until_s: dict[int, float] = {}
        self.hear_answers = bool(self._of_answers)
        """Whether any of them does anything with an answer."""
        self.hear_events = any(self._of_events.values())
        """Whether any of them does anything with anything else."""

    def answered(self, answer: Answered) -> None:
        """What one of them raises is logged, and the others are told all the same."""
        for number, listener in self._of_answers:
            try:
                listener(answer)
            except BaseException as error:  # a plugin may call exit()
                self._failed(number, error)

    def happened(self, event: ModelEvent) -> None:
        """As ``answered``, for all else."""
        for number, listener in self._of_events[type(event)]:
            try:
                listener(event)
            except BaseException as error:
                self._failed(number, error)

    def _listeners(self, method: str) -> tuple[_Listener, ...]:
        """Those that have the method of their own, by their numbers."""
        ours = getattr(Observer, method)
        methods = ((n, getattr(each, method)) for n, (each, _) in enumerate(self._observers))
        return tuple((n, own) for n, own in methods if getattr(own, "__func__", None) is not ours)

    def _failed(self, number: int, error: BaseException) -> None:
        observer, owner = self._observers[number]
        now_s = time.monotonic()
        if now_s < self._silent_until_s.get(number, 0.0):
            return
        self._silent_until_s[number] = now_s + _SILENT_S
        _log.error(
            "the observer %s of plugin %s failed; told once in %d s",
            type(observer).__name__,
            owner,
            _SILENT_S,
            exc_info=error,
        )
