"""ExpressWire: the wire of an answer to a plain request."""

from __future__ import annotations

import time
from typing import Any

from tfaas_core.http.express_answers import length_of, stream_head_bytes
from tfaas_core.http.sanic_parts import SanicProtocol
from tfaas_core.route import Response
from tfaas_core.routing.unexpected import is_given_up


class ExpressWire:
    """Writes the pieces of ``response`` as chunks, or as they are, if it says how long they are.

    If no piece came, its head is still to be sent, by whoever made it.
    """

    def __init__(self, connection: SanicProtocol, response: Response, keep_alive: bool) -> None:
        self._connection = connection
        self._response = response
        self._keep_alive = keep_alive
        self._left = length_of(response)
        self.has_begun = False

    async def send(self, piece: bytes) -> None:
        if self._left is None:
            piece = b"%x\r\n%b\r\n" % (len(piece), piece)
        else:
            self._left -= len(piece)
            if self._left < 0:
                raise ValueError("the pieces are longer than Content-Length says")
        # The clock sees that something happens.
        self._connection.begin_handling(time.monotonic())
        transport: Any = self._connection.transport
        if not self.has_begun:
            self.has_begun = True
            transport.write(stream_head_bytes(self._response, self._keep_alive))
        transport.write(piece)
        await self._connection.wait_to_write()

    async def end(self) -> None:
        if self._left:
            raise ValueError("the pieces are shorter than Content-Length says")
        transport: Any = self._connection.transport
        if self.has_begun and self._left is None:
            transport.write(b"0\r\n\r\n")

    def cut(self) -> None:
        transport: Any = self._connection.transport
        transport.abort()

    def is_gone(self, error: BaseException) -> bool:
        return is_given_up(error)
