"""Long answers: bodies that are sent in pieces, since to write them at once takes long."""

from __future__ import annotations

import asyncio

import msgspec

from tfaas_core.http.sanic_parts import has_body
from tfaas_core.http.streaming import Wire
from tfaas_core.route import Response
from tfaas_core.routing.in_flight import InFlight

LONG_BYTES = 1 << 20
_PIECE_BYTES = 1 << 18
"""With TLS, they are encrypted at once."""


def is_long(response: Response) -> bool:
    """Whether it has a body, and that is long."""
    is_whole = response.stream is None and len(response.body) > LONG_BYTES
    return is_whole and has_body(response.status)


def head_of(response: Response) -> Response:
    """The response without its body, which it announces."""
    headers = {**response.headers, "content-length": str(len(response.body))}
    return msgspec.structs.replace(response, body=b"", headers=headers)


async def send_long(wire: Wire, body: bytes, in_flight: InFlight) -> None:
    """Sends ``body`` by ``wire``, as its client takes it; until then, it has a part of the budget.

    Others have their turn between pieces, however fast the client is. Raises CancelledError if the
    connection is gone.
    """
    with in_flight.kept(len(body)):
        try:
            for at in range(0, len(body), _PIECE_BYTES):
                await wire.send(body[at : at + _PIECE_BYTES])
                await asyncio.sleep(0)
            await wire.end()
        except BaseException as error:
            if wire.is_gone(error):
                raise
            wire.cut()
            raise
