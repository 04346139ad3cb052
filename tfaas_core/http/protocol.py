"""The HTTP protocol of one connection: Sanic's, with an express lane and a gentler end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from tfaas_core.errors import TfaasError
from tfaas_core.http.deaf import Deaf
from tfaas_core.http.door import Door
from tfaas_core.http.express import ExpressLane, PlainRequest
from tfaas_core.http.express_answers import answer_bytes
from tfaas_core.http.express_wire import ExpressWire
from tfaas_core.http.gathering import Gathering
from tfaas_core.http.long_answers import head_of, send_long
from tfaas_core.http.request import client_of
from tfaas_core.http.sanic_parts import SanicProtocol
from tfaas_core.http.streaming import drop_pieces, send_pieces
from tfaas_core.http.taking import Taking
from tfaas_core.route import Begun, ClientAddress, Response, ShortWay
from tfaas_core.routing.in_flight import InFlight
from tfaas_core.routing.seam import error_answer
from tfaas_core.routing.way_back import is_long

LINGER_S = 2.0
"""A client that was answered in the middle of its body may go on sending for this long."""


class TfaasProtocol(SanicProtocol):
    """Answers plain requests itself, and leaves all others to Sanic.

    It ends a connection with a FIN, and waits for the client's before it closes: a socket that is
    closed with unread bytes resets the connection, and the client may lose the answer that it was
    just sent: a 413, say, which comes before the end of the body.
    """

    __slots__ = (
        *("_asked", "_door", "_early", "_express_task", "_gathering", "_in_flight"),
        *("_is_extra", "_lane", "_linger", "_lingering", "_taking", "_wire", "client"),
    )

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._lane: ExpressLane = self.app.ctx.express_lane
        self._in_flight: InFlight = self.app.ctx.in_flight
        self._door: Door = self.app.ctx.door
        self.client, self._is_extra, self._lingering = ClientAddress(), False, False
        self._asked: PlainRequest | None = None
        self._express_task: asyncio.Task[None] | Begun | None = None
        self._early = bytearray()
        self._gathering: Gathering | None = None
        self._wire: ExpressWire | None = None
        self._linger: asyncio.TimerHandle | None = None
        self._taking: Taking | None = None

    def connection_made(self, transport: Any) -> None:
        self.client = client_of(transport)
        super().connection_made(transport)  # type: ignore[no-untyped-call]
        try:
            self._is_extra = self._door.enters(self)
        except TfaasError as error:
            transport.write(answer_bytes(error_answer(error), keep_alive=False))
            # Without waiting for the client's end: there may be very many.
            transport.close()

    @property
    def is_one_too_many(self) -> bool:
        """Whether only what is quick is to be answered on it."""
        return self._is_extra and self._door.is_full

    def data_received(self, data: bytes) -> None:
        if self._express_task is not None:
            self._keep(data)
            return
        if self._gathering is not None:
            if not self._gathering.add(data):
                return
            data = self._gathered()
        rests = self.rests
        request = self._lane.request(data, self.client) if rests else None
        if self._is_extra and self.is_one_too_many:
            request = None  # Sanic's lane refuses what is not quick
        if request is None and rests and (self._gathers(data) or self._turns_away(data)):
            return
        if request is None:
            super().data_received(data)
            return
        self._asked = request
        if request.said.short is None or not self._begins(request, request.said.short):
            self._express_task = self.loop.create_task(self._answer(request))

    def _gathers(self, data: bytes) -> bool:
        """Whether more is to come of a plain request, which ``data`` is the first piece of."""
        head_bytes, body_bytes = self._lane.sizes_of(data)
        is_begun = len(data) - head_bytes < body_bytes <= self._in_flight.left
        if not is_begun or self.is_one_too_many:
            return False
        self.is_in_use()
        self._gathering = Gathering(self._in_flight, head_bytes, body_bytes, self._is_late)
        self._gathering.add(data)
        return True

    def _gathered(self) -> bytes:
        """What has come of the request that is gathered, which is gathered no more."""
        gathering, self._gathering = self._gathering, None
        return b"" if gathering is None else gathering.end()

    def _is_late(self) -> None:
        super().data_received(self._gathered())

    def _begins(self, request: PlainRequest, short: ShortWay) -> bool:
        """Whether the request has taken the short way, and perhaps has been answered already."""
        if request.said.length > self._in_flight.left or not self.may_answer_at_once:
            return False
        passage = request.said.passage
        try:
            begun: Begun | Exception | None = passage.begin(short, request, self._ended)
        except Exception as error:
            begun = error
        if begun is None:
            return False
        self._in_flight.left -= request.said.length
        self.begin_handling(request.begin_s)
        if isinstance(begun, Exception):
            self._ended(begun)
        else:
            self._express_task = begun
        return True

    def _ended(self, answer: Response | BaseException) -> None:
        """Sends the answer that has come the short way."""
        request = self._asked
        assert request is not None
        self._in_flight.give_back(request.said.length)
        response, transport = request.said.passage.ended(request, answer), self.transport
        if transport is None or transport.is_closing() or self._lingering:
            return
        keep_alive = request.said.keep_alive and self.keeps_alive
        transport.write(request.answer_bytes(response, keep_alive))
        self._express_is_done(transport, keep_alive)

    def connection_lost(self, exc: Exception | None) -> None:
        self._door.leaves(self)
        self._drop_express()
        self._gathered()
        if self._linger is not None:
            self._linger.cancel()
        super().connection_lost(exc)

    def close(self, timeout: float | None = None) -> None:
        transport: Any = self.transport
        if transport is None or transport.is_closing() or self._lingering:
            return
        if self._drop_express():
            # While a request is being answered, only the clock closes.
            if self._wire is not None and self._wire.has_begun:
                self._wire.cut()
                return
            assert self._asked is not None
            transport.write(self._asked.late_answer_bytes())
        self._lingering = True
        try:
            transport.write_eof()
            transport.set_protocol(Deaf(self))
            transport.resume_reading()
        except (OSError, RuntimeError, NotImplementedError):
            super().close(timeout)
            return
        # The client's end, or the clock, closes the transport.
        self._linger = self.loop.call_later(LINGER_S, self._end, timeout)

    def _end(self, timeout: float | None) -> None:
        if self.may_write:
            super().close(timeout)
        else:
            # It takes its answer, and is watched.
            self._linger = self.loop.call_later(LINGER_S, self._end, timeout)

    def pause_writing(self) -> None:
        super().pause_writing()  # type: ignore[no-untyped-call]
        self._taking = Taking(self.transport, self.app.ctx.least_pace, self.is_in_use)

    def resume_writing(self) -> None:
        super().resume_writing()  # type: ignore[no-untyped-call]
        if self._taking is not None:
            self._taking.stop()
            self._taking = None

    def leave_if_idle(self) -> bool:
        if not self._lingering and not self._is_idle:
            return False
        self.abort()
        return True

    def close_if_idle(self) -> bool:
        if not self._is_idle:
            return False
        self.close()
        return True

    @property
    def _is_idle(self) -> bool:
        """Whether there is no request to answer, and no head of one."""
        return self._express_task is None and self._gathering is None and self.awaits_head

    def _turns_away(self, data: bytes) -> bool:
        """Whether the client speaks something else, and was told so."""
        if not self.app.ctx.foreign.is_foreign(data):
            return False
        transport: Any = self.transport
        fault = self.app.ctx.foreign.answer(data, self.client.ip or "a client")
        if fault is not None:
            transport.write(answer_bytes(error_answer(fault), keep_alive=False))
        self.close()
        return True

    def _keep(self, data: bytes) -> None:
        """A client may send its next request before it has the answer to this one."""
        if self._asked is None or not self._asked.said.keep_alive:
            return
        self._early += data
        if len(self._early) >= self.buffer_bytes and self.transport is not None:
            self.transport.pause_reading()

    async def _answer(self, request: PlainRequest) -> None:
        in_flight, size = self._in_flight, request.said.length
        if size > in_flight.left or request.refusal is not None:
            request.is_arriving, request.refusal = True, in_flight.no_room()
            request.body, size = b"", 0
        in_flight.left -= size
        try:
            self.begin_handling(request.begin_s)
            response = await request.said.passage(request)
            if not self.may_write:
                try:
                    with in_flight.kept(len(response.body)):
                        await self.wait_to_write()
                except asyncio.CancelledError:
                    await drop_pieces(request, response, request.said.passage)
                    raise
            transport: Any = self.transport
            if transport is None or transport.is_closing() or self._lingering:
                await drop_pieces(request, response, request.said.passage)
                return
            keep_alive = request.said.keep_alive and self.keeps_alive
            unsent: Response | None = response
            if response.stream is not None:
                unsent = await self._streamed(request, response, response.stream, keep_alive)
            if unsent is not None and is_long(unsent):
                await self._sent_long(request, unsent, keep_alive)
            elif unsent is not None:
                transport.write(request.answer_bytes(unsent, keep_alive))
        finally:
            in_flight.give_back(size)
        self._express_is_done(transport, keep_alive)

    async def _sent_long(self, request: PlainRequest, response: Response, keep_alive: bool) -> None:
        wire = self._wire = ExpressWire(self, head_of(response), keep_alive)
        await send_long(wire, request, response, request.said.passage, self._in_flight)
        self._wire = None

    async def _streamed(
        self,
        request: PlainRequest,
        response: Response,
        pieces: AsyncIterator[bytes],
        keep_alive: bool,
    ) -> Response | None:
        """What is still to be sent instead, if anything is."""
        wire = self._wire = ExpressWire(self, response, keep_alive)
        instead = await send_pieces(wire, pieces, request, response, request.said.passage)
        self._wire = None
        if instead is None and not wire.has_begun:
            return msgspec.structs.replace(response, stream=None)
        return instead

    def _express_is_done(self, transport: Any, keep_alive: bool) -> None:
        self._asked = self._express_task = None
        self.end_handling()
        if not keep_alive:
            self.close()
        elif self._early and not transport.is_closing():
            early, self._early = bytes(self._early), bytearray()
            transport.resume_reading()
            self.data_received(early)

    def _drop_express(self) -> bool:
        """Whether there was a request on the express lane that is not answered."""
        task, self._express_task = self._express_task, None
        if task is None or not task.cancel():
            return False
        if self._asked is not None and not isinstance(task, asyncio.Task):
            self._in_flight.give_back(self._asked.said.length)
        return True
