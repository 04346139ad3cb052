"""InFlight: how much of the bodies of requests, and of long answers, is in memory at once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import numpy as np

from tfaas_core.errors import TooLarge, Unavailable
from tfaas_core.tensors import Array

LONG_BYTES = 1 << 20
"""Of outputs, of which fewer do not count; a body that is longer is sent in pieces."""

_SHORT_BYTES = 1 << 16
"""Of a body, of which a copy does not count."""

ROOM_LOOKS, LOOK_AGAIN_S = 50, 0.02
"""For room for outputs, which clients make as they take their answers."""

OVERDRAFT_BYTES = 1 << 24
"""Beyond the budget, for the bodies of requests that manage: these are small, and relieve it."""


class InFlight:
    """A budget of bytes for one HTTP worker. ``left``: how much of it nobody has; below 0 if it is
    overdrawn.

    An answer that is there already may be more than there is room for. The rest of it is owed: what
    others give back pays for that first.
    """

    __slots__ = ("_owed", "_turn", "left", "most_bytes")

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.left = most_bytes
        self._owed = 0
        self._turn = asyncio.Lock()

    def check_room(self, size: int, overdraft: int = 0) -> None:
        """Raises Unavailable if there is no room for ``size`` bytes more."""
        if size > self.left + overdraft:
            raise self.no_room()

    def check_fits(self, size: int) -> None:
        """Raises TooLarge if an answer of ``size`` bytes never has room."""
        most = self.most_bytes
        if size > most:
            raise TooLarge(
                f"the answer takes {size} bytes, more than the {most} that an HTTP worker keeps of "
                "bodies and answers (limits.max_bytes_in_flight); ask for fewer rows at a time",
                expected=most,
                got=size,
            )

    @contextmanager
    def held(self, size: int) -> Iterator[None]:
        """So many bytes more are in memory in the block. Raises Unavailable if there is no room."""
        self.check_room(size)
        self.left -= size
        try:
            yield
        finally:
            self.give_back(size)

    @asynccontextmanager
    async def holding(self, size: int) -> AsyncIterator[None]:
        """As ``held``, of outputs in memory that a model's process shares.

        There they may wait a second for room: that memory is bounded by itself.
        """
        for _look in range(ROOM_LOOKS):
            if size <= max(0, self.left):
                break
            await asyncio.sleep(LOOK_AGAIN_S)
        if not size:
            yield
            return
        with self.held(size):
            yield

    @contextmanager
    def kept(self, size: int) -> Iterator[None]:
        """The same of an answer that is there already: it is sent, whether or not there is room."""
        self.take(size)
        try:
            yield
        finally:
            self.give_back(size)

    @asynccontextmanager
    async def writing(self, size: int) -> AsyncIterator[None]:
        """An answer of some ``size`` bytes is written in the block.

        Where there is no room for it beside what it is written from, it waits for its turn: one at
        a time exceeds the budget by that. What it is written from has room already, and may be gone
        thereafter.
        """
        if size <= self.left:
            with self.held(size):
                yield
        else:
            async with self._turn:
                with self.kept(size):
                    yield

    def room(self, size: int) -> CountedBytes:
        """CountedBytes for ``size`` bytes of an answer, which count until nobody has them any more.

        Raises TooLarge if there never is any, Unavailable if there is none now.
        """
        self.check_fits(size)
        self.check_room(size)
        room = CountedBytes(size, np.uint8)
        room.counts_for(self)
        return room

    def take(self, size: int) -> None:
        """So many bytes of an answer are there, until they are given back."""
        taken = max(0, min(size, self.left))
        self.left -= taken
        self._owed += size - taken

    def counted(self, data: bytes | memoryview) -> bytes | memoryview:
        """``data``, a copy of bodies that waits to be sent: if it is long, it counts until nobody
        has it, whether or not there is room.
        """
        if len(data) <= _SHORT_BYTES:
            return data
        copy = np.frombuffer(data, np.uint8).view(_CountedCopy)
        self.take(len(copy))
        copy._in_flight = self
        return copy.data

    def give_back(self, size: int) -> None:
        """So many bytes are gone."""
        self.left += size
        if self._owed and self.left > 0:
            paid = min(self._owed, self.left)
            self._owed -= paid
            self.left -= paid

    def no_room(self) -> Unavailable:
        """What a client is told whose body does not fit beside those of others."""
        return Unavailable(
            f"the bodies of other requests, and answers, have taken the {self.most_bytes} bytes "
            "(limits.max_bytes_in_flight) that an HTTP worker keeps of them; try again"
        )


class _CountedCopy(np.ndarray[Any, np.dtype[np.uint8]]):
    """What ``InFlight.copied`` gives a view of: it counts until it is gone, in the event loop."""

    _in_flight: InFlight | None = None

    def __del__(self) -> None:
        if self._in_flight is not None:
            self._in_flight.give_back(len(self))


class CountedBytes(np.ndarray[Any, np.dtype[np.uint8]]):
    """Bytes that are in flight for as long as anybody has them, or an array that is a view of them.

    They are whatever was there before, until they are written. Made in the thread of the event
    loop; whichever has them last.
    """

    _in_flight: InFlight | None = None

    def counts_for(self, in_flight: InFlight) -> None:
        """Takes its place in the budget."""
        self._size, self._thread = len(self), threading.get_ident()
        self._loop = asyncio.get_running_loop()
        in_flight.left -= self._size
        self._in_flight = in_flight

    def __del__(self) -> None:
        in_flight = self._in_flight
        if in_flight is None:
            return
        if threading.get_ident() == self._thread:
            in_flight.give_back(self._size)
        else:
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(in_flight.give_back, self._size)


def counted_in(buffer: Any) -> CountedBytes | None:
    """The CountedBytes that an array or a memoryview is a view of, if it is of one."""
    while (base := getattr(buffer, "base", None)) is not None:
        buffer = base
    found = buffer.obj if isinstance(buffer, memoryview) else buffer
    return found if isinstance(found, CountedBytes) else None


def uncounted_bytes(outputs: Iterable[Array]) -> int:
    """Of those that are views of no CountedBytes: they came in memory that is shared."""
    return sum([output.nbytes for output in outputs if counted_in(output) is None])
