"""Failures: what lets everybody in while requests cannot be counted."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable

_PAUSE_S = 1.0
_LOG_S = 60.0

_log = logging.getLogger(__name__)


class Failures:
    """Knows whether counting has just failed, so that not each request waits for that anew."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._again_s = self._log_s = -math.inf

    def are_recent(self) -> bool:
        """Whether to count nothing at the moment."""
        return self._clock() < self._again_s

    def note(self, error: Exception) -> None:
        """Takes note of one, and logs it, once a minute at most."""
        now_s = self._clock()
        self._again_s = now_s + _PAUSE_S
        if now_s >= self._log_s:
            self._log_s = now_s + _LOG_S
            why = str(error) or type(error).__name__
            _log.warning("requests cannot be counted, so all are let in without limits: %s", why)
