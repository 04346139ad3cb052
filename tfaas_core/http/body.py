"""A request on Sanic's lane, and its body as it arrives."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from sanic.exceptions import SanicException
from sanic.request import Request as SanicRequest

from tfaas_core.http.body_room import BodyRoom
from tfaas_core.http.errors import too_large, translated
from tfaas_core.http.request import HttpRequest
from tfaas_core.http.sanic_parts import (
    announced_bytes,
    has_unread_body,
    limit_body,
    pieces_of_body,
    read_into,
)
from tfaas_core.routing.in_flight import InFlight


class ArrivingRequest(HttpRequest, kw_only=True):
    """A request whose body is still to be read, from ``sanic``.

    ``receive`` takes ``max_bytes`` at most, and as far as ``in_flight`` has room, or may be
    overdrawn by ``overdraft``; ``stream`` takes any number.
    """

    sanic: SanicRequest
    max_bytes: int
    in_flight: InFlight
    overdraft: int = 0
    taken_bytes: int = 0
    is_arriving: bool = True

    async def receive(self) -> None:
        if has_unread_body(self.sanic):
            announced = announced_bytes(self.sanic)
            if announced > self.max_bytes:
                raise too_large(self.max_bytes)
            # Whoever only announces much holds nothing.
            self.in_flight.check_room(announced, self.overdraft)
            limit_body(self.sanic, self.max_bytes)
        room = BodyRoom()
        with self._errors_translated():
            while has_unread_body(self.sanic):
                await read_into(self.sanic, room, self._take)
        self.body = room.whole()
        self.is_arriving = False

    def _take(self, size: int) -> None:
        self.in_flight.check_room(size, self.overdraft)
        self.in_flight.left -= size
        self.taken_bytes += size

    def give_back(self) -> None:
        """The request is over, and its body is gone."""
        if self.taken_bytes:
            self.in_flight.give_back(self.taken_bytes)
            self.taken_bytes = 0

    async def stream(self) -> AsyncIterator[bytes]:
        with self._errors_translated():
            async for piece in pieces_of_body(self.sanic):
                yield piece

    @contextmanager
    def _errors_translated(self) -> Iterator[None]:
        try:
            yield
        except SanicException as error:
            raise translated(error, self.max_bytes) from error
