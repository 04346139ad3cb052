"""Streamed answers: sent piece by piece, whole or visibly not, and let go of at once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

from sanic import HTTPResponse
from sanic.exceptions import RequestCancelled
from sanic.request import Request as SanicRequest

from tfaas_core.errors import TfaasError
from tfaas_core.http.sanic_parts import say_no_more
from tfaas_core.routing.unexpected import is_given_up

_log = logging.getLogger("tfaas.http")


async def send_stream(
    request: SanicRequest,
    head: HTTPResponse,
    pieces: AsyncIterator[bytes],
    failed: Callable[[BaseException], HTTPResponse],
    blamed: Callable[[BaseException], str],
) -> HTTPResponse | None:
    """Sends ``head`` and ``pieces``, which are closed at the end, whatever that is.

    What is still to be sent is returned: if the first piece fails, what ``failed`` makes of it.
    Where a piece fails once something was sent, the connection is cut: an end that looks like any
    other would pass for the end of the answer. ``blamed`` gives the plugin that is to be named.
    Raises CancelledError if the connection is gone.
    """
    sent = 0
    answer: Any = None
    try:
        if request.method == "HEAD":
            return head
        async for piece in pieces:
            if not isinstance(piece, bytes):
                raise TypeError(f"the stream gave {piece!r:.100}, not bytes")
            if piece:
                answer = answer or await request.respond(head)
                await answer.send(piece)
                sent += len(piece)
        if answer is None:
            return head
        await answer.eof()
    except BaseException as error:  # a plugin may call exit()
        if _is_gone(error, request):
            raise
        if answer is None:
            return failed(error)
        _tell(request, blamed(error), sent, error)
        _cut(request)
        raise asyncio.CancelledError from error
    finally:
        await _close(pieces)
    return None


def _is_gone(error: BaseException, request: SanicRequest) -> bool:
    """Whether the client is, or whoever else gave up the request; Sanic is quiet then."""
    # Sanic may know before this task is told.
    gone = isinstance(error, RequestCancelled) or is_given_up(error)
    if gone:
        say_no_more(request)
    return gone


def _tell(request: SanicRequest, owner: str, sent: int, error: BaseException) -> None:
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
        except BaseException as error:
            if is_given_up(error):
                raise
            _log.exception("a streamed answer could not be closed")
