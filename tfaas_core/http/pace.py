"""Pace: how fast a client sends and takes, at least; who is slower holds what others could use."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from tfaas_core.settings.tables import Limits


class LeastPace(msgspec.Struct, frozen=True):
    """``head_s``: for a whole head. Beyond that, ``min_bytes`` in each ``window_s``."""

    head_s: float
    window_s: float
    min_bytes: float

    @classmethod
    def of(cls, limits: Limits) -> LeastPace:
        """What ``[limits]`` asks for."""
        window_s = limits.pace_window_s
        # Whoever sends nothing at all is too slow in any case.
        return cls(limits.head_timeout_s, window_s, max(1, limits.min_bytes_per_s * window_s))


class TooSlow(Exception):
    """A client sends less than it has to; the message says what of, in a sentence."""


class Arrival:
    """How a request arrives: its head by a deadline, then its body at the least pace.

    Only the time counts for which the server waits: while it is busy with what has come, the client
    may be unable to send more.
    """

    __slots__ = ("_bytes", "_ends_s", "_is_head", "_least", "_waited_s")

    def __init__(self, least: LeastPace) -> None:
        """The first byte of a head has come."""
        self._least = least
        self._is_head = True
        self._ends_s = time.monotonic() + least.head_s
        self._bytes = 0.0
        self._waited_s = 0.0

    def head_is_here(self) -> None:
        """What comes now is the body."""
        self._is_head = False

    def has_come(self, size: int) -> None:
        """So many bytes of the body."""
        self._bytes += size

    async def wait(self, receive: Callable[[], Awaitable[Any]]) -> None:
        """Waits until ``receive`` has more. Raises TooSlow."""
        while True:
            left_s = self._left_s()
            since_s = time.monotonic()
            try:
                async with asyncio.timeout(left_s):
                    await receive()
            except TimeoutError:
                self._waited_s += left_s
            else:
                self._waited_s += time.monotonic() - since_s
                return

    def _left_s(self) -> float:
        """How long the server waits before it looks again. Raises TooSlow."""
        least = self._least
        if self._is_head:
            left_s = self._ends_s - time.monotonic()
            if left_s <= 0:
                raise TooSlow(
                    f"the head of the request did not come in {least.head_s:g} s "
                    "(limits.head_timeout_s)"
                )
            return left_s
        if self._waited_s >= least.window_s:
            if self._bytes < least.min_bytes:
                raise TooSlow(
                    f"{self._bytes:.0f} bytes of the body came in {least.window_s:g} s, which is "
                    "less than limits.min_bytes_per_s"
                )
            self._bytes = self._waited_s = 0.0
        return least.window_s - self._waited_s
