"""A request on Sanic's lane, and its body as it arrives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from sanic.exceptions import SanicException
from sanic.request import Request as SanicRequest

from tfaas_core.errors import BadBody
from tfaas_core.http.errors import too_large, translated
from tfaas_core.http.request import HttpRequest
from tfaas_core.http.sanic_parts import announced_bytes, has_unread_body, limit_body, pieces_of_body

STALL_TIMEOUT_S = 60.0
"""A client that sends nothing for this long, in the middle of a body, is given up."""


class ArrivingRequest(HttpRequest, kw_only=True):
    """A request whose body is still to be read, from ``sanic``.

    ``receive`` takes ``max_bytes`` at most, ``stream`` any number.
    """

    sanic: SanicRequest
    max_bytes: int
    is_arriving: bool = True

    async def receive(self) -> None:
        if has_unread_body(self.sanic):
            if announced_bytes(self.sanic) > self.max_bytes:
                raise too_large(self.max_bytes)
            limit_body(self.sanic, self.max_bytes)
        with self._errors_translated():
            self.body = b"".join([piece async for piece in pieces_of_body(self.sanic)])
        self.is_arriving = False

    async def stream(self) -> AsyncIterator[bytes]:
        pieces = pieces_of_body(self.sanic)
        while True:
            try:
                with self._errors_translated():
                    async with asyncio.timeout(STALL_TIMEOUT_S):
                        piece = await anext(pieces, b"")
            except TimeoutError:
                raise BadBody(
                    f"the body stopped for {STALL_TIMEOUT_S:g} s before its end"
                ) from None
            if not piece:
                return
            yield piece

    @contextmanager
    def _errors_translated(self) -> Iterator[None]:
        try:
            yield
        except SanicException as error:
            raise translated(error, self.max_bytes) from error
