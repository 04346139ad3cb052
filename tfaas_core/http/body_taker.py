"""BodyTaker: has a transport write what is left of a body to where it is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tfaas_core.http.body_room import BodyRoom

_SCRAP_BYTES = 1
"""Room for what nobody keeps: a transport that is given none logs a fault."""


class BodyTaker(asyncio.BufferedProtocol):
    """Stands in the place of a connection's protocol until ``left`` bytes have come.

    The protocol reads on behind them. It is told of all else.
    """

    def __init__(
        self, before: asyncio.Protocol, room: BodyRoom, left: int, came: Callable[[int], None]
    ) -> None:
        """``came`` is told how many bytes came each time. What it raises is the end, too."""
        self._before = before
        self._room = room
        self._came = came
        self._over = asyncio.Event()
        self._transport: Any = None
        self.left = left
        self.error: Exception | None = None

    @contextmanager
    def takes(self, transport: Any) -> Iterator[None]:
        """In the block, if it is open."""
        self._put_in(transport, self)
        self._transport = transport
        try:
            yield
        finally:
            self._go()

    async def over(self) -> None:
        """Waits until all is there, or there is an error."""
        await self._over.wait()

    def get_buffer(self, _sizehint: int) -> memoryview | bytearray:
        try:
            return self._room.place(self.left)
        except MemoryError as error:
            self.error = error
            return bytearray(_SCRAP_BYTES)

    def buffer_updated(self, nbytes: int) -> None:
        if self.error is None:
            self.left -= nbytes
            self._room.came(nbytes)
            try:
                self._came(nbytes)
            except Exception as error:
                self.error = error
        if not self.left or self.error is not None:
            self._go()
            self._over.set()

    def eof_received(self) -> bool | None:
        return self._before.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._before.connection_lost(exc)

    def pause_writing(self) -> None:
        self._before.pause_writing()

    def resume_writing(self) -> None:
        self._before.resume_writing()

    def _go(self) -> None:
        transport, self._transport = self._transport, None
        if transport is not None and transport.get_protocol() is self:
            self._put_in(transport, self._before)

    def _put_in(self, transport: Any, protocol: asyncio.BaseProtocol) -> None:
        if transport.is_closing():
            transport.set_protocol(protocol)
            return
        # It looks at what kind of protocol it has when it begins to read.
        transport.pause_reading()
        transport.set_protocol(protocol)
        transport.resume_reading()
