"""The body of a request on Sanic's lane, as it arrives."""

from __future__ import annotations

from collections.abc import AsyncIterator
from io import BytesIO

from sanic.exceptions import SanicException
from sanic.request import Request as SanicRequest

from tfaas_core.http.errors import too_large, translated
from tfaas_core.http.sanic_parts import announced_bytes, has_unread_body, limit_body, next_piece
from tfaas_core.routing.in_flight import InFlight


class SanicBody:
    """Implements ``tfaas_core.http.request.BodySource``."""

    __slots__ = ("_in_flight", "_max_bytes", "_request", "_taken")

    def __init__(self, request: SanicRequest, max_bytes: int, in_flight: InFlight) -> None:
        """``max_bytes``: what ``whole`` takes at most, and as far as ``in_flight`` has room."""
        self._request = request
        self._max_bytes = max_bytes
        self._in_flight = in_flight
        self._taken = 0

    async def whole(self) -> bytes:
        if not has_unread_body(self._request):
            return b""
        announced = announced_bytes(self._request)
        if announced > self._max_bytes:
            raise too_large(self._max_bytes)
        # Whoever only announces much holds nothing.
        self._in_flight.check_room(announced)
        limit_body(self._request, self._max_bytes)
        # Unlike other buffers, it hands its bytes over without a copy.
        body = BytesIO()
        while has_unread_body(self._request):
            piece = await self._next()
            self._take(len(piece))
            body.write(piece)
        return body.getvalue()

    def _take(self, size: int) -> None:
        self._in_flight.check_room(size)
        self._in_flight.left -= size
        self._taken += size

    def give_back(self) -> None:
        """The request is over, and its body is gone."""
        self._in_flight.left += self._taken
        self._taken = 0

    async def pieces(self) -> AsyncIterator[bytes]:
        while has_unread_body(self._request):
            if piece := await self._next():
                yield piece

    async def _next(self) -> bytes:
        try:
            return await next_piece(self._request)
        except SanicException as error:
            raise translated(error, self._max_bytes) from error
