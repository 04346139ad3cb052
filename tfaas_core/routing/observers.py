"""Observers: all observers of an HTTP worker, as one."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping

from tfaas_core.observer import Answered, Observer

_SILENT_S = 60.0

_log = logging.getLogger("tfaas.observers")


class Observers:
    """Tells each of them; ``owners``: the modules of their plugins, by observer."""

    def __init__(self, owners: Mapping[Observer, str]) -> None:
        self._observers = tuple(owners)
        self._owners = dict(owners)
        self._silent_until_s: dict[Observer, float] = {}

    def __bool__(self) -> bool:
        return bool(self._observers)

    def answered(self, answer: Answered) -> None:
        """What one of them raises is logged, and the others are told all the same."""
        for observer in self._observers:
            try:
                observer.answered(answer)
            except BaseException as error:  # a plugin may call exit()
                self._failed(observer, error)

    def _failed(self, observer: Observer, error: BaseException) -> None:
        now_s = time.monotonic()
        if now_s < self._silent_until_s.get(observer, 0.0):
            return
        self._silent_until_s[observer] = now_s + _SILENT_S
        _log.error(
            "the observer %s of plugin %s failed; told once in %d s",
            type(observer).__name__,
            self._owners[observer],
            _SILENT_S,
            exc_info=error,
        )
