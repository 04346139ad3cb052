"""Streams: messages that come and go in one call, each answered as a call of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any, TypeAlias

from tfaas_core.errors import TfaasError
from tfaas_core.route import Response
from tfaas_core.routing.sealed_services import SealedMethod
from tfaas_core.routing.seam import error_answer
from tfaas_plugins.grpc_server.answering import Answering, refuse, refuse_because, tell
from tfaas_plugins.grpc_server.call import GrpcCall
from tfaas_plugins.grpc_server.codes import refusal_of
from tfaas_plugins.grpc_server.last_calls import told_to_stop

_AT_WORK = 16
"""So many messages of a stream are answered at once; no more are read meanwhile."""

_UNKNOWN_CLIENT = 401

_Begun: TypeAlias = tuple[GrpcCall, "asyncio.Task[Response]"]


class Streams:
    """The streams of one server."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering
        self._open: set[Stream] = set()
        self._is_draining = False

    async def answer(self, path: str, method: SealedMethod, context: Any) -> None:
        """Answers until the client sends no more, or has gone."""
        metadata = await self._answering.enter(context)
        new_call = partial(self._answering.call, path, context, metadata)
        stream = Stream(self._answering, method, new_call)
        self._open.add(stream)
        try:
            await stream.open(context)
            if self._is_draining:
                stream.drain()
            await stream.run(context)
        finally:
            self._open.discard(stream)

    def drain(self) -> None:
        """Reads no more of any of them; what has come is answered."""
        self._is_draining = True
        for stream in self._open:
            stream.drain()


class Stream:
    """One of them: answers come in the order of the messages, though several are at work."""

    def __init__(
        self, answering: Answering, method: SealedMethod, new_call: Callable[[], GrpcCall]
    ) -> None:
        self._answering = answering
        self._method = method
        self._new_call = new_call
        self._begun: asyncio.Queue[_Begun | None] = asyncio.Queue()
        self._room = asyncio.Semaphore(_AT_WORK)
        self._is_draining = False
        self._reading: asyncio.Task[None] | None = None

    async def open(self, context: Any) -> None:
        """Asks guards before anything is read; ends the stream if they refuse."""
        refusal = refusal_of(await self._method.opening(self._new_call()))
        if refusal is not None:
            await refuse(context, refusal)

    def drain(self) -> None:
        """Reads no more."""
        self._is_draining = True
        if self._reading is not None:
            self._reading.cancel()

    async def run(self, context: Any) -> None:
        """Reads and writes until it ends; what is at work then is given up."""
        loop = asyncio.get_running_loop()
        self._reading = loop.create_task(self._read(context))
        self._reading.add_done_callback(_look_at)
        try:
            while (begun := await self._begun.get()) is not None:
                message = await self._message(context, *begun)
                await self._write(message, context, *begun)
                self._room.release()
            await self._end(context, self._reading)
        finally:
            self._give_up()

    async def _write(
        self, message: bytes, context: Any, call: GrpcCall, answering: asyncio.Task[Response]
    ) -> None:
        told = partial(tell, self._method, call, answering.result())
        await self._answering.write(message, context, told)

    async def _end(self, context: Any, reading: asyncio.Task[None]) -> None:
        """Ends a stream of which all is answered that has come."""
        try:
            await reading
        except asyncio.CancelledError:
            if not self._is_draining:
                raise
            await refuse_because(context, error_answer(told_to_stop()))
        except TfaasError as error:
            await refuse_because(context, error_answer(error))

    async def _read(self, context: Any) -> None:
        loop = asyncio.get_running_loop()
        try:
            while not self._is_draining:
                message = await self._answering.message(context, must_come=False)
                if message is None:
                    break
                call = self._new_call()
                call.read = _just(message)
                del message
                self._begun.put_nowait((call, loop.create_task(self._answered(call))))
                self._answering.leave_unread(context)
                await self._room.acquire()
            if self._is_draining:
                raise asyncio.CancelledError
        finally:
            self._answering.read_again(context)
            self._begun.put_nowait(None)

    async def _answered(self, call: GrpcCall) -> Response:
        try:
            response = await self._answering.answer(call, self._method)
            call.keep(response.body)
            return response
        except BaseException:
            call.give_back()
            raise

    async def _message(
        self, context: Any, call: GrpcCall, answering: asyncio.Task[Response]
    ) -> bytes:
        """The message that answers one; ends the stream if there is none."""
        try:
            response = await answering
            refusal = refusal_of(response)
            if refusal is None:
                return response.body
            if (answer := self._told(call, response.status, refusal.sentence)) is not None:
                return answer
        finally:
            call.give_back()
        await refuse(context, refusal)
        raise AssertionError("gRPC raises")

    def _told(self, call: GrpcCall, status: int, sentence: str) -> bytes | None:
        """The message that tells of an error, if the stream is to go on."""
        tell = self._method.method.refused
        if tell is None or status == _UNKNOWN_CLIENT:
            return None
        try:
            return tell(call, sentence)
        except BaseException as error:  # a plugin may call exit()
            self._method.passage.failed(call, error)
            return None

    def _give_up(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
        with suppress(asyncio.QueueEmpty):
            while True:
                begun = self._begun.get_nowait()
                if begun is not None:
                    self._drop(*begun)

    def _drop(self, call: GrpcCall, answering: asyncio.Task[Response]) -> None:
        answering.cancel()
        call.give_back()
        if answering.done() and not answering.cancelled() and answering.exception() is None:
            tell(self._method, call, answering.result(), sent=0)


def _just(message: bytes) -> Callable[[], Awaitable[bytes]]:
    async def read() -> bytes:
        return message

    return read


def _look_at(task: asyncio.Task[None]) -> None:
    """Whoever is gone does not ask what became of it, and asyncio would complain."""
    if not task.cancelled():
        task.exception()
