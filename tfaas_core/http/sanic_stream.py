"""StrictHttp: how Sanic reads a request, after the bytes were held against the grammar, and how
it streams to clients of HTTP/1.0.

With ``sanic_parts``, this is all that touches what is not Sanic's public interface.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from sanic.exceptions import BadRequest, PayloadTooLarge, RequestTimeout, SanicException
from sanic.headers import format_http1_response
from sanic.helpers import has_message_body
from sanic.http import Stage
from sanic.http.http1 import HTTP_CONTINUE, Http

from tfaas_core.http.body_room import BodyRoom
from tfaas_core.http.body_taker import BodyTaker
from tfaas_core.http.grammar import Chunks, Malformed, check_part, checked_head
from tfaas_core.http.pace import Arrival, TooSlow

_END = b"\r\n\r\n"
_CHUNKED = "chunked"
_WITHOUT_CHUNKS = "1.0"
_LEAST_STRAIGHT_BYTES = 1 << 15
"""Of what is left of a body: less is read by pieces."""


class HeadTooLongError(SanicException):
    """The first line of a request and its headers are more than is read."""

    status_code = 431


class StrictHttp(Http):
    """Sanic guesses what is meant by bytes that are no HTTP, and waits for any next byte anew.

    To HTTP/1.0, it sends chunks, which only later versions have.
    """

    __slots__ = ("_arrival", "_chunks")

    def __init__(self, protocol: Any) -> None:
        super().__init__(protocol)  # type: ignore[no-untyped-call]
        self._chunks: Chunks
        """Set for a body of chunks."""
        self._arrival: Arrival | None = None
        # What Sanic itself waits by.
        self._receive_more = self._receive

    async def http1_request_header(self) -> None:
        """Raises BadRequest, HeadTooLongError, RequestTimeout and ExpectationFailed."""
        self._arrival = Arrival(self.protocol.app.ctx.least_pace)
        try:
            await self._check_head()
        except Malformed as error:
            raise BadRequest(str(error)) from error
        await super().http1_request_header()  # type: ignore[no-untyped-call]
        self._arrival.head_is_here()
        # Sanic has no clock for a request that asks for this; there is nothing to upgrade to.
        self.upgrade_websocket = False
        if self._is_chunked:
            self._chunks = Chunks()
            # Sanic leaves the end of the head's last line.
            del self.recv_buffer[:2]

    async def _check_head(self) -> None:
        """Waits until the head is there. Raises Malformed, or HeadTooLongError."""
        buffer, seen = self.recv_buffer, 0
        await self._skip_empty_line()
        while (end := buffer.find(_END, max(seen - 3, 0))) < 0:
            check_part(buffer, seen, len(buffer))
            seen = len(buffer)
            if seen > self.HEADER_MAX_SIZE + len(_END):
                raise self._too_long()
            await self._receive_more()
        check_part(buffer, seen, end)
        if end >= self.HEADER_MAX_SIZE:
            raise self._too_long()
        head = bytes(buffer[:end])
        if (checked := checked_head(head)) != head:
            buffer[:end] = checked

    def _too_long(self) -> HeadTooLongError:
        most = self.HEADER_MAX_SIZE
        return HeadTooLongError(
            f"the first line of the request and its headers are longer than {most} bytes"
        )

    async def _skip_empty_line(self) -> None:
        """Old clients send one behind a body."""
        while self.recv_buffer == b"\r":
            await self._receive_more()
        if self.recv_buffer.startswith(b"\r\n"):
            del self.recv_buffer[:2]

    @property
    def _is_chunked(self) -> bool:
        # Sanic says that it is bytes; it is True for a body of announced length.
        body: Any = self.request_body
        return bool(body == _CHUNKED)

    async def _receive(self) -> None:
        """Waits for more. For the first byte of a request, the keep-alive timeout is enough."""
        if self._arrival is None or (self.stage is Stage.IDLE and not self.request_body):
            await self.protocol.receive_more()  # type: ignore[no-untyped-call]
            return
        await self._wait(self._arrival, self.protocol.receive_more)

    async def _wait(self, arrival: Arrival, receive: Callable[[], Awaitable[Any]]) -> None:
        try:
            await arrival.wait(receive)
        except TooSlow as error:
            self.keep_alive = False
            # While Sanic reads on behind an answer, this alone ends the connection.
            kind = BadRequest if self.stage is Stage.IDLE else RequestTimeout
            raise kind(str(error)) from error

    async def read(self) -> bytes | None:
        """Some bytes of the body; None at its end.

        Raises BadRequest, PayloadTooLarge and RequestTimeout.
        """
        piece = await (self._read_chunks() if self._is_chunked else self._read_announced())
        if self._arrival is not None and piece:
            self._arrival.has_come(len(piece))
        return piece

    async def read_into(self, room: BodyRoom, came: Callable[[int], None]) -> None:
        """Some bytes of the body, or all that is left; ``came`` is told how many, and may raise.

        Raises as ``read`` does.
        """
        protocol: Any = self.protocol
        left, arrival = self.request_bytes_left or 0, self._arrival
        is_short = left < _LEAST_STRAIGHT_BYTES or self._is_chunked or self.expecting_continue
        if is_short or self.recv_buffer or arrival is None or protocol.transport is None:
            if piece := await self.read():
                came(len(piece))
                room.add(piece)
            return

        def told(size: int) -> None:
            protocol.is_in_use()
            arrival.has_come(size)
            came(size)

        taker = BodyTaker(protocol, room, left, told)
        try:
            with taker.takes(protocol.transport):
                await self._wait(arrival, taker.over)
        finally:
            self.request_bytes_left = taker.left
        if taker.error is not None:
            # What comes is not to be taken for the next request.
            self.keep_alive = False
            raise taker.error

    async def _read_announced(self) -> bytes | None:
        """As Sanic does, but without a signal for each piece, and with a copy less."""
        if self.expecting_continue:
            self.expecting_continue = False
            await self._send(HTTP_CONTINUE)
        if (self.request_bytes or 0) > self.request_max_size:
            self.keep_alive = False
            raise PayloadTooLarge("Request body exceeds the size limit")
        left = self.request_bytes_left
        if not left:
            self.request_body = None
            return None
        if not self.recv_buffer:
            await self._receive_more()
        if len(self.recv_buffer) <= left:
            piece = bytes(self.recv_buffer)
            self.recv_buffer.clear()
        else:
            piece = bytes(self.recv_buffer[:left])
            del self.recv_buffer[:left]
        self.request_bytes_left = left - len(piece)
        return piece

    async def _read_chunks(self) -> bytes | None:
        if self.expecting_continue:
            self.expecting_continue = False
            await self._send(HTTP_CONTINUE)
        while not (piece := self._next_piece()) and not self._chunks.is_done:
            await self._receive_more()
        if self._chunks.is_done:
            self.request_body = None
        elif self.recv_buffer:
            # A buffer may hold so many chunks that other clients would wait.
            await asyncio.sleep(0)
        return piece or None

    def _next_piece(self) -> bytes:
        try:
            piece = self._chunks.take(self.recv_buffer)
        except Malformed as error:
            self.keep_alive = False
            raise BadRequest(str(error)) from error
        self.request_bytes = (self.request_bytes or 0) + len(piece)
        if self.request_bytes > self.request_max_size:
            self.keep_alive = False
            raise PayloadTooLarge("Request body exceeds the size limit")
        return piece

    async def http1_response_header(self, data: bytes, end_stream: bool) -> None:
        """Begins an answer. Where there are no chunks, one of unknown length ends by a close."""
        answer: Any = self.response
        is_whole = end_stream or self.head_only or getattr(answer, "body", None)
        has_body: bool = has_message_body(answer.status)  # type: ignore[no-untyped-call]
        is_told = "content-length" in answer.headers or not has_body
        if is_whole or is_told or self.request.version != _WITHOUT_CHUNKS:
            await super().http1_response_header(data, end_stream)
            return
        self.keep_alive = False
        answer.headers["connection"] = "close"
        self.response_func = self._until_the_end
        self.stage = Stage.RESPONSE
        await self._send(format_http1_response(answer.status, answer.processed_headers) + data)

    async def _until_the_end(self, data: bytes, end_stream: bool) -> None:
        if data:
            await self._send(data)
        if end_stream:
            self.response_func = None  # type: ignore[assignment]
            self.stage = Stage.IDLE
