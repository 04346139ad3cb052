"""Flood: so many lines of a kind in a time, and then how many more there were."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import msgspec

MOST_LINES = 30
"""Of one kind, in one window, of one HTTP worker."""

WINDOW_S = 60.0

_MOST_KINDS = 100
_OTHER = "other"


class _Window(msgspec.Struct):
    """``lines`` were written since it began, and ``more`` were not."""

    lines: int = 0
    more: int = 0
    begin_s: float = 0.0
    timer: asyncio.TimerHandle | None = None


class Flood:
    """Says which lines are to be written, so that nobody fills the disk with them."""

    def __init__(self, tell: Callable[[str, int], None]) -> None:
        """``tell`` is called for each kind at the end of a window in which there were more, with
        how many."""
        self._tell = tell
        self._windows: dict[str, _Window] = {}

    def takes(self, kind: str) -> bool:
        """Whether one more line of ``kind`` is to be written; if not, it is counted.

        Called in an event loop. There is only so much room for kinds; those beyond are one.
        """
        if kind not in self._windows and len(self._windows) >= _MOST_KINDS:
            kind = _OTHER
        now_s = time.monotonic()
        window = self._windows.get(kind)
        if window is None or now_s - window.begin_s >= WINDOW_S:
            self._end(kind)
            window = self._windows[kind] = _Window(begin_s=now_s)
        if window.lines < MOST_LINES:
            window.lines += 1
            return True
        window.more += 1
        if window.timer is None:
            left_s = window.begin_s + WINDOW_S - now_s
            window.timer = asyncio.get_running_loop().call_later(left_s, self._end, kind)
        return False

    def close(self) -> None:
        """Tells at once what would be told later."""
        for kind in tuple(self._windows):
            self._end(kind)

    def _end(self, kind: str) -> None:
        window = self._windows.pop(kind, None)
        if window is not None and window.timer is not None:
            window.timer.cancel()
            self._tell(kind, window.more)
