"""Rest: an HTTP worker leaves a core alone for a moment, for a model that gets none."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

_INTERVAL_S = 0.1
_REST_S = 0.02
"""How often it is looked, and how long the worker rests."""


class Rest:
    """Rests now and then while ``is_needed``. It belongs to the event loop's thread.

    A model that gave way (see Pace) runs if nothing else wants a core. HTTP workers may want all
    cores all the time, if clients ask again at once what was refused.
    """

    def __init__(self, is_needed: Callable[[], bool]) -> None:
        self._is_needed = is_needed
        self._next: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Looks from now on."""
        self._look()

    def stop(self) -> None:
        """Looks no more."""
        if self._next is not None:
            self._next.cancel()

    def _look(self) -> None:
        if self._is_needed():
            # The whole worker: it is the one that needs the core.
            time.sleep(_REST_S)
        self._next = asyncio.get_running_loop().call_later(_INTERVAL_S, self._look)
