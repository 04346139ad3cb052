"""The HTTP protocol of one connection: Sanic's, with an express lane and a gentler end."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from sanic.http import Stage
from sanic.server.protocols.http_protocol import HttpProtocol

from tfaas_core.errors import TfaasError
from tfaas_core.http.errors import error_answer, out_of_time, unexpected
from tfaas_core.http.express import ExpressLane, ExpressRequest, answer_bytes
from tfaas_core.route import Response

LINGER_S = 2.0
"""A client that was answered in the middle of its body may go on sending for this long."""


class TfaasProtocol(HttpProtocol):
    """Answers plain requests itself, and leaves all others to Sanic.

    It ends a connection with a FIN, and waits for the client's before it closes: a socket that is
    closed with unread bytes resets the connection, and the client may lose the answer that it was
    just sent: a 413, say, which comes before the end of the body.
    """

    __slots__ = ("_early", "_express_task", "_lane", "_linger", "_lingering")

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._http: Any = None
        self._lane: ExpressLane = self.app.ctx.express_lane
        self._express_task: asyncio.Task[None] | None = None
        self._early = bytearray()
        self._lingering = False
        self._linger: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        if self._express_task is not None:
            self._keep(data)
            return
        rests = self._sanic_rests()
        request = self._lane.request(data) if rests else None
        if request is None and rests and self.app.ctx.foreign.is_foreign(data):
            self._turn_away(data)
            return
        if request is None:
            super().data_received(data)
            return
        self._time = time.monotonic()
        self._express_task = self.loop.create_task(self._answer(request))

    def connection_lost(self, exc: Exception | None) -> None:
        self._drop_express()
        if self._linger is not None:
            self._linger.cancel()
        super().connection_lost(exc)  # type: ignore[no-untyped-call]

    def close(self, timeout: float | None = None) -> None:
        transport: Any = self.transport
        if transport is None or transport.is_closing() or self._lingering:
            return
        if self._drop_express():
            # While a request is being answered, only the clock closes.
            transport.write(answer_bytes(error_answer(out_of_time()), keep_alive=False))
        self._lingering = True
        try:
            transport.write_eof()
            transport.set_protocol(_Deaf(self))
            transport.resume_reading()
        except (OSError, RuntimeError, NotImplementedError):
            super().close(timeout)
            return
        # The client's end, or the clock, closes the transport.
        self._linger = self.loop.call_later(LINGER_S, super().close, timeout)

    def close_if_idle(self) -> bool:
        return self._express_task is None and bool(super().close_if_idle())

    def _turn_away(self, data: bytes) -> None:
        transport: Any = self.transport
        address = transport.get_extra_info("peername")
        fault = self.app.ctx.foreign.answer(data, address[0] if address else "a client")
        if fault is not None:
            transport.write(answer_bytes(error_answer(fault), keep_alive=False))
        self.close()

    def _sanic_rests(self) -> bool:
        """Whether Sanic has no byte of a request, and will wait for one, or waits already."""
        if self.recv_buffer:
            return False
        http = self._http
        if http is None:
            # Of a new connection, Sanic's task has not begun yet. Of one that ends, it is gone.
            return self._task is not None
        # It forgets the last request when it has done everything about it.
        return http.request is None and http.stage is Stage.IDLE

    def _keep(self, data: bytes) -> None:
        """A client may send its next request before it has the answer to this one."""
        self._early += data
        if len(self._early) >= self.app.config.REQUEST_BUFFER_SIZE and self.transport is not None:
            self.transport.pause_reading()

    async def _answer(self, request: ExpressRequest) -> None:
        # Sanic's clock and its idea of what is idle hold for the express lane, too.
        self._http.stage = Stage.HANDLER
        try:
            try:
                response = await request.head.handler(request)
            except TfaasError as error:
                response = error_answer(error)
        except (Exception, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and _is_told_to_end():
                raise
            response = _bug(request, error)
        if not self._can_write.is_set():
            await self._can_write.wait()
        transport: Any = self.transport
        if transport is None or transport.is_closing() or self._lingering:
            return
        keep_alive = request.head.keep_alive and self.app.config.KEEP_ALIVE
        try:
            transport.write(answer_bytes(response, keep_alive))
        except Exception as error:
            transport.write(answer_bytes(_bug(request, error), keep_alive))
        self._express_is_done(transport, keep_alive)

    def _express_is_done(self, transport: Any, keep_alive: bool) -> None:
        self._time = time.monotonic()
        self._express_task = None
        self._http.stage = Stage.IDLE
        if not keep_alive:
            self.close()
        elif self._early and not transport.is_closing():
            early, self._early = bytes(self._early), bytearray()
            transport.resume_reading()
            self.data_received(early)

    def _drop_express(self) -> bool:
        """Whether there was a request on the express lane that is not answered."""
        task, self._express_task = self._express_task, None
        return task is not None and task.cancel()


class _Deaf(asyncio.Protocol):
    """Takes what still comes, and does nothing with it."""

    def __init__(self, before: TfaasProtocol) -> None:
        self._before = before

    def pause_writing(self) -> None:
        self._before.pause_writing()  # type: ignore[no-untyped-call]

    def resume_writing(self) -> None:
        self._before.resume_writing()  # type: ignore[no-untyped-call]

    def connection_lost(self, exc: Exception | None) -> None:
        self._before.connection_lost(exc)


def _bug(request: ExpressRequest, error: BaseException) -> Response:
    return error_answer(unexpected(f"POST {request.head.path}", error))


def _is_told_to_end() -> bool:
    """Whether this task was cancelled, rather than something that it waited for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
