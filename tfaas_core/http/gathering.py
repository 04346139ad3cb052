"""Gathering: a request of the express lane that comes in several pieces, until it is whole."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tfaas_core.routing.in_flight import InFlight

_MOST_S = 0.1
"""What is not whole by then is read by Sanic, which watches how fast the rest comes."""


class Gathering:
    """The pieces that have come of a head, which is whole in the first one, and a body.

    What has come of the body counts as in flight. ``on_late`` is called if not all is there in
    time, and has to end it. All belongs to the event loop's thread.
    """

    def __init__(
        self,
        in_flight: InFlight,
        head_bytes: int,
        body_bytes: int,
        on_late: Callable[[], object],
    ) -> None:
        self._in_flight = in_flight
        self._uncounted_bytes = head_bytes
        self._missing_bytes = head_bytes + body_bytes
        in_flight.left += head_bytes
        self._pieces: list[bytes] = []
        self._clock = asyncio.get_running_loop().call_later(_MOST_S, on_late)

    def add(self, piece: bytes) -> bool:
        """Takes one more; whether there is nothing to wait for: it is whole, or has no room."""
        self._pieces.append(piece)
        self._in_flight.left -= len(piece)
        self._missing_bytes -= len(piece)
        return not 0 < self._missing_bytes <= self._in_flight.left

    def end(self) -> bytes:
        """All that has come, which counts no more."""
        self._clock.cancel()
        whole = b"".join(self._pieces)
        self._in_flight.give_back(len(whole) - self._uncounted_bytes)
        return whole
