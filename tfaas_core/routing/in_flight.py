"""InFlight: how much of the bodies of requests, and of long answers, is in memory at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tfaas_core.errors import Unavailable

OVERDRAFT_BYTES = 1 << 24
"""Beyond the budget, for the bodies of requests that manage: these are small, and relieve it."""


class InFlight:
    """A budget of bytes for one HTTP worker. ``left``: how much of it nobody has; below 0 if it is
    overdrawn."""

    __slots__ = ("left", "most_bytes")

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.left = most_bytes

    def check_room(self, size: int, overdraft: int = 0) -> None:
        """Raises Unavailable if there is no room for ``size`` bytes more."""
        if size > self.left + overdraft:
            raise self.no_room()

    @contextmanager
    def held(self, size: int) -> Iterator[None]:
        """So many bytes more are in memory in the block. Raises Unavailable if there is no room."""
        self.check_room(size)
        self.left -= size
        try:
            yield
        finally:
            self.left += size

    @contextmanager
    def kept(self, size: int) -> Iterator[None]:
        """The same of an answer, as far as there is room: once it is there, it is sent."""
        taken = max(0, min(size, self.left))
        self.left -= taken
        try:
            yield
        finally:
            self.left += taken

    def no_room(self) -> Unavailable:
        """What a client is told whose body does not fit beside those of others."""
        return Unavailable(
            f"the bodies of other requests, and answers, have taken the {self.most_bytes} bytes "
            "(limits.max_bytes_in_flight) that an HTTP worker keeps of them; try again"
        )
