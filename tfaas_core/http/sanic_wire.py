"""SanicWire: the wire of an answer that Sanic sends."""

from __future__ import annotations

from typing import Any

from sanic import HTTPResponse
from sanic.exceptions import RequestCancelled
from sanic.request import Request as SanicRequest

from tfaas_core.http.sanic_parts import say_no_more
from tfaas_core.routing.unexpected import is_given_up


class SanicWire:
    """Answers ``request``. If no piece came, ``head`` is still to be sent, by whoever made it."""

    def __init__(self, request: SanicRequest, head: HTTPResponse) -> None:
        self._request = request
        self._head = head
        self._answer: Any = None

    @property
    def has_begun(self) -> bool:
        """Whether anything was sent."""
        return self._answer is not None

    async def send(self, piece: bytes) -> None:
        self._answer = self._answer or await self._request.respond(self._head)
        await self._answer.send(piece)

    async def end(self) -> None:
        if self._answer is not None:
            await self._answer.eof()

    def cut(self) -> None:
        transport: Any = self._request.transport
        if transport is not None:
            transport.abort()

    def is_gone(self, error: BaseException) -> bool:
        # Sanic may know before this task is told.
        gone = isinstance(error, RequestCancelled) or is_given_up(error)
        if gone:
            say_no_more(self._request)
        return gone
