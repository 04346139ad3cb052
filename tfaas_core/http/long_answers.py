"""Long answers: bodies that are sent in pieces, since to write them at once takes long."""

from __future__ import annotations

import asyncio

import msgspec

from tfaas_core.http.streaming import Wire
from tfaas_core.route import Response
from tfaas_core.routing.arriving import Arriving
from tfaas_core.routing.in_flight import InFlight
from tfaas_core.routing.seam import Passage

_PIECE_BYTES = 1 << 18
"""With TLS, they are encrypted at once."""


def head_of(response: Response) -> Response:
    """The response without its body, which it announces."""
    headers = {**response.headers, "content-length": str(len(response.body))}
    return msgspec.structs.replace(response, body=b"", headers=headers)


async def send_long(
    wire: Wire, request: Arriving, response: Response, passage: Passage, in_flight: InFlight
) -> None:
    """Sends a body by ``wire``, as its client takes it; until then, it has a part of the budget.

    Others have their turn between pieces, however fast the client is. ``passage``, which the
    response comes from, is told. Raises CancelledError if the connection is gone.
    """
    body, sent = response.body, 0
    with in_flight.kept(len(body)):
        try:
            while sent < len(body):
                piece = body[sent : sent + _PIECE_BYTES]
                await wire.send(piece)
                sent += len(piece)
                await asyncio.sleep(0)
            await wire.end()
        except BaseException as error:
            if not wire.is_gone(error):
                wire.cut()
            passage.sent(request, response, sent, is_cut=True)
            raise
    passage.sent(request, response, sent)
