"""The body of a request on Sanic's lane, as it arrives."""

from __future__ import annotations

from collections.abc import AsyncIterator

from sanic.exceptions import SanicException
from sanic.request import Request as SanicRequest

from tfaas_core.http.errors import too_large, translated
from tfaas_core.http.sanic_parts import announced_bytes, has_unread_body, limit_body, next_piece


class SanicBody:
    """Implements ``tfaas_core.http.request.BodySource``."""

    __slots__ = ("_max_bytes", "_request")

    def __init__(self, request: SanicRequest, max_bytes: int) -> None:
        """``max_bytes``: what ``whole`` takes at most."""
        self._request = request
        self._max_bytes = max_bytes

    async def whole(self) -> bytes:
        if not has_unread_body(self._request):
            return b""
        if announced_bytes(self._request) > self._max_bytes:
            raise too_large(self._max_bytes)
        limit_body(self._request, self._max_bytes)
        body = bytearray()
        while has_unread_body(self._request):
            body += await self._next()
        return bytes(body)

    async def pieces(self) -> AsyncIterator[bytes]:
        while has_unread_body(self._request):
            if piece := await self._next():
                yield piece

    async def _next(self) -> bytes:
        try:
            return await next_piece(self._request)
        except SanicException as error:
            raise translated(error, self._max_bytes) from error
