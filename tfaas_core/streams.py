"""Streams: bodies of answers that are made while they are sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from functools import partial


async def in_threads(pieces: Generator[bytes]) -> AsyncGenerator[bytes]:
    """Takes each step of a blocking generator in a thread, and closes it as soon as it is over."""
    step: asyncio.Future[bytes | None] | None = None
    try:
        while True:
            step = asyncio.ensure_future(asyncio.to_thread(next, pieces, None))
            piece = await asyncio.shield(step)
            if piece is None:
                return
            yield piece
    finally:
        if step is None or step.done():
            pieces.close()
        else:
            # A generator cannot be closed in the middle of a step.
            step.add_done_callback(partial(_close, pieces))


def _close(pieces: Generator[bytes], step: asyncio.Future[bytes | None]) -> None:
    if not step.cancelled():
        step.exception()  # nobody else is to be told
    pieces.close()
