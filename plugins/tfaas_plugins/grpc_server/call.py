"""A call of gRPC, or a message of a stream, as guards, handlers and observers see a request."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

import msgspec

from tfaas_core.errors import BadBody
from tfaas_core.fields import Fields, Headers
from tfaas_core.route import ClientAddress, Head
from tfaas_core.routing.in_flight import InFlight
from tfaas_core.visit import Visit


class GrpcCall(msgspec.Struct):
    """Implements ``tfaas_core.routing.arriving.Arriving``, and ``tfaas_core.service.Call``.

    ``read`` gives the message, or None if none comes. ``ends_s``: until when the client waits.
    """

    head: Head
    client: ClientAddress
    read: Callable[[], Awaitable[bytes | None]]
    in_flight: InFlight
    ends_s: float | None = None
    body: bytes = b""
    is_arriving: bool = True
    taken_bytes: int = 0
    visit: Visit | None = None
    begin_s: float = msgspec.field(default_factory=time.monotonic)

    @property
    def left_s(self) -> float | None:
        return None if self.ends_s is None else max(0.0, self.ends_s - time.monotonic())

    @property
    def method(self) -> str:
        return self.head.method

    @property
    def path(self) -> str:
        return self.head.path

    @property
    def headers(self) -> Headers:
        return self.head.headers

    @property
    def query(self) -> Fields:
        return self.head.query

    @property
    def path_fields(self) -> Mapping[str, str]:
        return self.head.path_fields

    async def receive(self) -> None:
        message = await self.read()
        if message is None:
            raise BadBody("the call came without a message")
        self.take(message)

    def take(self, message: bytes) -> None:
        """It has come. Raises Unavailable if there is no room for it."""
        size = len(message)
        self.in_flight.check_room(size)
        self.in_flight.left -= size
        self.taken_bytes = size
        self.body = message
        self.is_arriving = False

    def keep(self, answer: bytes) -> None:
        """Its answer is there, and cannot be sent yet."""
        self.in_flight.take(len(answer))
        self.taken_bytes += len(answer)

    def give_back(self) -> None:
        """The call is over, and its message is gone."""
        self.in_flight.give_back(self.taken_bytes)
        self.taken_bytes = 0

    async def stream(self) -> AsyncIterator[bytes]:
        yield self.body
