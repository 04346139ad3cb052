"""Observers: all observers of an HTTP worker, as one."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable

from tfaas_core.observer import Answered, Observer

_SILENT_S = 60.0

_log = logging.getLogger("tfaas.observers")


class Observers:
    """Tells each of them; ``owned``: each with the module of its plugin."""

    def __init__(self, owned: Iterable[tuple[Observer, str]] = ()) -> None:
        self._observers = tuple(owned)
        self._silent_until_s: dict[int, float] = {}

    def __bool__(self) -> bool:
        return bool(self._observers)

    def answered(self, answer: Answered) -> None:
        """What one of them raises is logged, and the others are told all the same."""
        for number, (observer, _owner) in enumerate(self._observers):
            try:
                observer.answered(answer)
            except BaseException as error:  # a plugin may call exit()
                self._failed(number, error)

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
