"""Streamed answers: sent piece by piece, whole or visibly not, and let go of at once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Protocol

from tfaas_core.errors import TfaasError
from tfaas_core.route import Request, Response
from tfaas_core.routing.arriving import Arriving
from tfaas_core.routing.seam import Passage
from tfaas_core.routing.unexpected import is_given_up
from tfaas_core.routing.way_back import is_told_later

_log = logging.getLogger("tfaas.http")


class Wire(Protocol):
    """Where the pieces of one answer go."""

    async def send(self, piece: bytes) -> None:
        """Sends a piece, behind the head if it is the first one, as soon as the client takes it."""
        ...

    async def end(self) -> None:
        """After the last piece; raises if they are not as many bytes as the head says."""
        ...

    def cut(self) -> None:
        """Ends the connection, so that nobody takes what was sent for the whole."""
        ...

    def is_gone(self, error: BaseException) -> bool:
        """Whether ``error`` says that nobody waits for the answer any more."""
        ...


async def send_pieces(
    wire: Wire,
    pieces: AsyncIterator[bytes],
    request: Arriving,
    response: Response,
    passage: Passage,
) -> Response | None:
    """Sends the pieces of a response, which are closed at the end, whatever that is.

    What is to be answered instead is returned, if the first of them fails: then nothing was sent.
    Where a piece fails once something was sent, the connection is cut: an end that looks like any
    other would pass for the end of the answer. ``passage``, which the response comes from, is told.
    Raises CancelledError if the connection is gone.
    """
    sent = 0
    try:
        async for piece in pieces:
            if not isinstance(piece, bytes):
                raise TypeError(f"the stream gave {piece!r:.100}, not bytes")
            if piece:
                await wire.send(piece)
                sent += len(piece)
        await wire.end()
    except BaseException as error:  # a plugin may call exit()
        is_gone = wire.is_gone(error)
        if not sent and not is_gone:
            return passage.unsent(request, error)
        passage.sent(request, response, sent, is_cut=True)
        if is_gone:
            raise
        _tell(request, passage.blamed(error), sent, error)
        wire.cut()
        raise asyncio.CancelledError from error
    finally:
        await close(pieces)
    passage.sent(request, response, sent)
    return None


async def drop_pieces(request: Arriving, response: Response, passage: Passage) -> None:
    """Closes the pieces of a response, if it has any, whose client is gone before the first."""
    if is_told_later(request, response):
        passage.sent(request, response, 0, is_cut=True)
    if response.stream is not None:
        await close(response.stream)


def _tell(request: Request, owner: str, sent: int, error: BaseException) -> None:
    reason = error.message if isinstance(error, TfaasError) else type(error).__name__
    _log.error(
        "%s %s%s: the streamed answer failed after %d bytes, and its connection was cut: %s",
        request.method,
        request.head.raw_path,
        f", of {owner}" if owner else "",
        sent,
        reason,
        exc_info=None if isinstance(error, TfaasError) else error,
    )


async def close(pieces: AsyncIterator[bytes]) -> None:
    """Has a generator run its ``finally`` now, rather than when it is collected."""
    close = getattr(pieces, "aclose", None)
    if close is not None:
        try:
            await close()
        except BaseException as error:
            if is_given_up(error):
                raise
            _log.exception("a streamed answer could not be closed")
