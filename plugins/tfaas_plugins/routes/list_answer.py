"""The answer that is a list of objects, written while it is sent if it is long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from typing import Any

import msgspec

from tfaas_core.route import Response

_PIECE_BYTES = 1 << 20
"""Of which a piece has more by one object at most."""

_AT_ONCE = 100
"""Objects that are written before other requests have their turn."""


async def list_of(documents: Iterable[dict[str, Any]]) -> Response:
    """As JSON. What its client has not taken yet is not written: so a list of many, of whose
    uploaders each has said much, is never in memory as a whole.
    """
    pieces = _pieces(documents)
    first, second = await anext(pieces), await anext(pieces, None)
    if second is None:
        return Response(first)
    return Response(stream=_chained(first, second, pieces))


async def _chained(
    first: bytes, second: bytes, others: AsyncGenerator[bytes]
) -> AsyncGenerator[bytes]:
    async with aclosing(others):
        yield first
        yield second
        async for piece in others:
            yield piece


async def _pieces(documents: Iterable[dict[str, Any]]) -> AsyncGenerator[bytes]:
    piece = bytearray(b"[")
    for number, document in enumerate(documents):
        if number:
            piece += b","
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
        piece += msgspec.json.encode(document)
        if len(piece) > _PIECE_BYTES:
            yield bytes(piece)
            piece.clear()
            await asyncio.sleep(0)
    yield bytes(piece) + b"]\n"
