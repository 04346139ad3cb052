"""Taking: whether a client takes its answer at the least pace, for as long as it has to wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from tfaas_core.http.pace import LeastPace


class Taking:
    """Watches, from when there is no room for more until ``stop``, and cuts who is too slow.

    ``on_taken`` is called whenever the client has taken enough.
    """

    def __init__(self, transport: Any, least: LeastPace, on_taken: Callable[[], object]) -> None:
        self._transport = transport
        self._least = least
        self._on_taken = on_taken
        self._next = self._watched()

    def stop(self) -> None:
        """There is room for more, or nobody to take it."""
        self._next.cancel()

    def _watched(self) -> asyncio.TimerHandle:
        most_left = self._transport.get_write_buffer_size() - self._least.min_bytes
        loop = asyncio.get_running_loop()
        return loop.call_later(self._least.window_s, self._look, most_left)

    def _look(self, most_left: float) -> None:
        if self._transport.get_write_buffer_size() > most_left:
            self._transport.abort()
        else:
            self._on_taken()
            self._next = self._watched()
