"""Answering: one call after another, taken to what answers it, and its answer back to gRPC."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import grpc

from tfaas_core.errors import TooLarge, Unavailable
from tfaas_core.host import Host
from tfaas_core.route import Response
from tfaas_core.routing.sealed_services import SealedMethod
from tfaas_core.routing.seam import error_answer
from tfaas_core.routing.way_back import is_told_later
from tfaas_plugins.grpc_server.answers import Answers
from tfaas_plugins.grpc_server.arrivals import Arrivals
from tfaas_plugins.grpc_server.call import GrpcCall
from tfaas_plugins.grpc_server.codes import Refusal, metadata_of, refusal_of
from tfaas_plugins.grpc_server.connection import Connection
from tfaas_plugins.grpc_server.gate import Gate
from tfaas_plugins.grpc_server.heads import Sent, head_of, too_many
from tfaas_plugins.grpc_server.last_calls import LastCalls


class Answering:
    """What calls need of one server."""

    def __init__(
        self,
        host: Host,
        gate: Gate,
        arrivals: Arrivals,
        answers: Answers,
        last_calls: LastCalls,
        max_answer_bytes: int,
    ) -> None:
        self._in_flight = host.in_flight
        self._gate = gate
        self._arrivals = arrivals
        self._answers = answers
        self._last_calls = last_calls
        self._max_answer_bytes = max_answer_bytes
        self._scheme = "http" if host.tls is None else "https"
        self._heard: set[Any] = set()
        self._unread: dict[Any, Connection] = {}

    def call(self, path: str, context: Any, metadata: Sent) -> GrpcCall:
        """What ``context`` tells of a call of ``path``, whose message is still to come.

        Raises CancelledError if the client has gone.
        """
        connection = self._gate.at(context.peer())
        if connection is None:
            raise asyncio.CancelledError
        left_s = context.time_remaining()
        return GrpcCall(
            head_of(path, metadata, self._scheme),
            connection.client,
            lambda: self.message(context),
            self._in_flight,
            None if left_s is None else time.monotonic() + left_s,
        )

    async def message(self, context: Any, must_come: bool = True) -> bytes | None:
        """The next message, which a stream may do without; None: the client sends no more.

        Raises HttpRefused if it comes too slowly.
        """
        self.read_again(context)
        connection = self._gate.at(context.peer())
        with _client_is_there():
            found = await self._arrivals.message(context.read, connection, must_come)
        message = None if found is grpc.aio.EOF else found
        if connection is not None:
            connection.has_read(message)
            self._count(context, connection)
        return message

    def leave_unread(self, context: Any) -> None:
        """No message of a call is asked for, until one is."""
        connection = self._gate.at(context.peer())
        if connection is not None and context not in self._unread:
            self._unread[context] = connection
            connection.unread_calls += 1

    def read_again(self, context: Any) -> None:
        """Its messages are asked for, or it is over."""
        if (connection := self._unread.pop(context, None)) is not None:
            connection.unread_calls -= 1

    async def unary(self, path: str, method: SealedMethod, context: Any) -> bytes:
        """The message that answers a call, which sends one, too."""
        call = self.call(path, context, await self.enter(context))
        try:
            response = await self.answer(call, method)
        finally:
            call.give_back()
        if (refusal := refusal_of(response)) is not None:
            await refuse(context, refusal)
        try:
            give_back = self._answers.keep(len(response.body), context.peer())
        except Unavailable as error:
            await refuse_because(context, method.passage.refused(call, response, error))

        def is_done(ended: Any) -> None:
            tell(method, call, response, give_back(not ended.cancelled()))

        context.add_done_callback(is_done)
        if response.headers:
            context.set_trailing_metadata(metadata_of(response))
        return response.body

    async def answer(self, call: GrpcCall, method: SealedMethod) -> Response:
        """The answer to one message, or a refusal. Observers are told of a long one by ``tell``."""
        response = await method.passage(call)
        if len(response.body) <= self._max_answer_bytes:
            return response
        error = TooLarge(
            f"the answer has {len(response.body)} bytes, over gRPC {self._max_answer_bytes} are "
            "sent at most (plugins.grpc.max_answer_bytes); ask for fewer rows at a time, or over "
            "HTTP"
        )
        return method.passage.refused(call, response, error)

    async def enter(self, context: Any) -> Sent:
        """Takes note of a call, until its client has taken what ends it, or refuses it.

        Gives the metadata that its client has sent.
        """
        metadata: Sent = context.invocation_metadata()
        if (why_not := too_many(metadata)) is not None:
            # There may be a thousand more, which nobody is to wait for.
            del metadata
            self._let_go(context)
            await refuse_because(context, error_answer(why_not))
        try:
            self._arrivals.enter()
        except Unavailable as error:
            await refuse_because(context, error_answer(error))
        self.leave_unread(context)
        context.add_done_callback(self._leave)
        try:
            await self._last_calls.admit()
        except Unavailable as error:
            await refuse_because(context, error_answer(error))
        return metadata

    def _leave(self, context: Any) -> None:
        self.read_again(context)
        self._arrivals.leave()

    def _count(self, context: Any, connection: Connection) -> None:
        if context in self._heard:
            return
        self._heard.add(context)
        connection.calls += 1

        def is_over(_context: Any) -> None:
            self._heard.discard(context)
            connection.calls -= 1

        context.add_done_callback(is_over)

    def _let_go(self, context: Any) -> None:
        if (connection := self._gate.at(context.peer())) is not None:
            connection.end_soon()

    async def write(
        self, message: bytes, context: Any, told: Callable[[int], None] | None = None
    ) -> None:
        """Sends a message of several; returns once the client has taken it.

        ``told`` is, in any case, how many of its bytes.
        """
        was_sent = False
        try:
            give_back = self._answers.keep(len(message), context.peer())
        except Unavailable as error:
            if told is not None:
                told(0)
            await refuse_because(context, error_answer(error))
        try:
            with _client_is_there():
                await context.write(message)
            was_sent = True
        finally:
            sent = give_back(was_sent)
            if told is not None:
                told(sent)


def tell(method: SealedMethod, call: GrpcCall, response: Response, sent: int) -> None:
    """Has observers told of a long answer of which the client has taken ``sent`` bytes."""
    if is_told_later(call, response):
        method.passage.sent(call, response, sent, is_cut=sent < len(response.body))


@contextmanager
def _client_is_there() -> Iterator[None]:
    """Raises CancelledError if it is not: gRPC, which would log it, has not said so yet."""
    try:
        yield
    except grpc.aio.AbortError:
        raise
    except grpc.aio.BaseError:
        raise asyncio.CancelledError from None


async def refuse_because(context: Any, response: Response) -> None:
    """Ends a call with what ``response`` says. Raises what gRPC wants to have raised then."""
    refusal = refusal_of(response)
    assert refusal is not None
    await refuse(context, refusal)


async def refuse(context: Any, refusal: Refusal) -> None:
    """Ends a call. Raises what gRPC wants to have raised then."""
    with _client_is_there():
        await context.abort(refusal.code, refusal.sentence, refusal.metadata)
