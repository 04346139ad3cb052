"""Answering: one call after another, taken to what answers it, and its answer back to gRPC."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc

from tfaas_core.errors import TfaasError, Unavailable
from tfaas_core.host import Host
from tfaas_core.route import Response
from tfaas_core.routing.sealed_services import SealedMethod
from tfaas_core.routing.seam import error_answer
from tfaas_plugins.grpc_server.arrivals import Arrivals
from tfaas_plugins.grpc_server.call import GrpcCall
from tfaas_plugins.grpc_server.codes import Refusal, metadata_of, refusal_of
from tfaas_plugins.grpc_server.heads import Sent, check, client_of, head_of
from tfaas_plugins.grpc_server.last_calls import LastCalls


class Answering:
    """What calls need of one server."""

    def __init__(
        self, host: Host, arrivals: Arrivals, last_calls: LastCalls, is_secure: bool
    ) -> None:
        self._host = host
        self._arrivals = arrivals
        self._last_calls = last_calls
        self._scheme = "https" if is_secure else "http"
        self._is_secure = is_secure

    def call(self, path: str, context: Any, metadata: Sent) -> GrpcCall:
        """What ``context`` tells of a call of ``path``, whose message is still to come."""
        left_s = context.time_remaining()
        proofs = context.auth_context() if self._is_secure else None
        return GrpcCall(
            head_of(path, metadata, self._scheme),
            client_of(context.peer(), proofs),
            lambda: self.message(context),
            self._host.in_flight,
            None if left_s is None else time.monotonic() + left_s,
        )

    async def message(self, context: Any) -> bytes | None:
        """The next message; None: the client sends no more."""
        with _client_is_there():
            found = await self._arrivals.message(context.read)
        return None if found is grpc.aio.EOF else found

    async def unary(self, path: str, method: SealedMethod, context: Any) -> bytes:
        """The message that answers a call, which sends one, too."""
        call = self.call(path, context, await self.enter(context))
        try:
            response = await method.passage(call)
        finally:
            call.give_back()
        if (refusal := refusal_of(response)) is not None:
            await refuse(context, refusal)
        await self._keep(len(response.body), context)
        if response.headers:
            context.set_trailing_metadata(metadata_of(response))
        return response.body

    async def enter(self, context: Any) -> Sent:
        """Takes note of a call, until its client has taken what ends it, or refuses it.

        Gives the metadata that its client has sent.
        """
        metadata: Sent = context.invocation_metadata()
        try:
            check(metadata)
            self._arrivals.enter()
        except TfaasError as error:
            await refuse_because(context, error_answer(error))
        context.add_done_callback(lambda _context: self._arrivals.leave())
        try:
            await self._last_calls.admit()
        except Unavailable as error:
            await refuse_because(context, error_answer(error))
        return metadata

    async def _keep(self, size: int, context: Any) -> None:
        """Takes note of an answer, which is in memory until the client has taken it."""
        in_flight = self._host.in_flight
        try:
            in_flight.check_room(size)
        except Unavailable as error:
            await refuse_because(context, error_answer(error))
        in_flight.left -= size

        def give_back(_context: Any) -> None:
            in_flight.left += size

        context.add_done_callback(give_back)


@contextmanager
def _client_is_there() -> Iterator[None]:
    """Raises CancelledError if it is not: gRPC, which would log it, has not said so yet."""
    try:
        yield
    except grpc.aio.AbortError:
        raise
    except grpc.aio.BaseError:
        raise asyncio.CancelledError from None


async def write(context: Any, message: bytes) -> None:
    """Sends a message of several, once the client takes it."""
    with _client_is_there():
        await context.write(message)


async def refuse_because(context: Any, response: Response) -> None:
    """Ends a call with what ``response`` says. Raises what gRPC wants to have raised then."""
    refusal = refusal_of(response)
    assert refusal is not None
    await refuse(context, refusal)


async def refuse(context: Any, refusal: Refusal) -> None:
    """Ends a call. Raises what gRPC wants to have raised then."""
    with _client_is_there():
        await context.abort(refusal.code, refusal.sentence, refusal.metadata)
