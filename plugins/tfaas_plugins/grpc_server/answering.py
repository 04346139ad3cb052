"""Answering: one call after another, taken to what answers it, and its answer back to gRPC."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc

from tfaas_core.errors import Unavailable
from tfaas_core.host import Host
from tfaas_core.route import Response
from tfaas_core.routing.sealed_services import SealedMethod
from tfaas_core.routing.seam import error_answer
from tfaas_plugins.grpc_server.arrivals import Arrivals
from tfaas_plugins.grpc_server.call import GrpcCall
from tfaas_plugins.grpc_server.codes import Refusal, metadata_of, refusal_of
from tfaas_plugins.grpc_server.heads import client_of, head_of
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

    def call(self, path: str, context: Any) -> GrpcCall:
        """What ``context`` tells of a call of ``path``, whose message is still to come."""
        left_s = context.time_remaining()
        proofs = context.auth_context() if self._is_secure else None
        return GrpcCall(
            head_of(path, context.invocation_metadata(), self._scheme),
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
        await self.enter(context)
        try:
            call = self.call(path, context)
            try:
                response = await method.passage(call)
            finally:
                call.give_back()
        finally:
            self._arrivals.leave()
        if (refusal := refusal_of(response)) is not None:
            await refuse(context, refusal)
        if response.headers:
            context.set_trailing_metadata(metadata_of(response))
        return response.body

    async def enter(self, context: Any) -> None:
        """Takes note of a call, or refuses it; ``leave`` is to be called when it is over."""
        try:
            self._arrivals.enter()
            try:
                await self._last_calls.admit()
            except BaseException:
                self._arrivals.leave()
                raise
        except Unavailable as error:
            await refuse_because(context, error_answer(error))

    def leave(self) -> None:
        """A call is over."""
        self._arrivals.leave()


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
