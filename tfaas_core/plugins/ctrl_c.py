"""CtrlC: whether somebody pressed it, or foreign code raises KeyboardInterrupt by itself."""

from __future__ import annotations

import signal
import threading
from types import FrameType


class CtrlC:
    """``pressed``: Ctrl-C was pressed in the block, which raised KeyboardInterrupt there."""

    def __init__(self) -> None:
        self.pressed = False
        self._is_watched = False

    def __enter__(self) -> None:
        # Nowhere else, and with no other handler, does a signal raise anything.
        if threading.current_thread() is not threading.main_thread():
            return
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._is_watched = True
            signal.signal(signal.SIGINT, self._interrupt)

    def __exit__(self, *_error: object) -> None:
        if self._is_watched:
            self._is_watched = False
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        self.pressed = True
        signal.default_int_handler(number, frame)
