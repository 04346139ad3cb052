"""Streamed answers: sent piece by piece, whole or visibly not, and let go of at once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

from sanic import HTTPResponse
from sanic.request import Request as SanicRequest

from tfaas_core.errors import TfaasError
from tfaas_core.routing.seam import unexpected

_log = logging.getLogger("tfaas.http")


async def send_stream(
    request: SanicRequest, head: HTTPResponse, pieces: AsyncIterator[bytes], owner: str = ""
) -> HTTPResponse | None:
    """Sends ``head`` and ``pieces``, which are closed at the end, whatever that is.

    ``owner`` is the module of the plugin that they come from, which is named if it fails.

    Where a piece fails once something was sent, the connection is cut: an end that looks like any
    other would pass for the end of the answer. Raises TfaasError if the first piece fails, with
    nothing sent, and CancelledError if the connection is gone.
    """
    sent = 0
    try:
        if request.method == "HEAD":
            return head
        answer: Any = await request.respond(head)
        async for piece in pieces:
            if piece:
                await answer.send(piece)
                sent += len(piece)
        await answer.eof()
    except Exception as error:
        if not sent and isinstance(error, TfaasError):
            raise
        if not sent:
            raise unexpected(f"{request.method} {request.path}", error, owner) from error
        _tell(request, owner, sent, error)
        _cut(request)
        raise asyncio.CancelledError from error
    finally:
        await _close(pieces)
    return None


def _tell(request: SanicRequest, owner: str, sent: int, error: Exception) -> None:
    reason = error.message if isinstance(error, TfaasError) else type(error).__name__
    _log.error(
        "%s %s%s: the streamed answer failed after %d bytes, and its connection was cut: %s",
        request.method,
        request.path,
        f", of {owner}" if owner else "",
        sent,
        reason,
        exc_info=None if isinstance(error, TfaasError) else error,
    )


def _cut(request: SanicRequest) -> None:
    transport: Any = request.transport
    if transport is not None:
        transport.abort()


async def _close(pieces: AsyncIterator[bytes]) -> None:
    """Has a generator run its ``finally`` now, rather than when it is collected."""
    close = getattr(pieces, "aclose", None)
    if close is not None:
        try:
            await close()
        except Exception:
            _log.exception("a streamed answer could not be closed")
