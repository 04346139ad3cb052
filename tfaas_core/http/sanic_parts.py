"""The parts of Sanic that are not its public interface, and may move with a new version.

They are touched here, in ``sanic_stream`` and in ``sanic_server`` alone. If one has moved,
``tests/core/http/test_sanic_parts.py`` fails, and says which; then the bound of ``sanic`` in
``pyproject.toml`` has to follow.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Coroutine
from functools import partial
from typing import Any

from sanic import HTTPResponse, Sanic
from sanic.headers import format_http1_response
from sanic.helpers import has_message_body
from sanic.http import Stage
from sanic.request import Request as SanicRequest
from sanic.router import Router as SanicRouter
from sanic.server.protocols.http_protocol import HttpProtocol

from tfaas_core.http.body_room import BodyRoom
from tfaas_core.http.sanic_stream import StrictHttp

SanicHandler = Callable[[SanicRequest], Coroutine[Any, Any, HTTPResponse | None]]
"""What Sanic calls for each request."""


class _OneWay(SanicRouter):
    """Sends every request the same way: what is served where is not Sanic's to know."""

    _way: Any = None

    def get(self, path: str, method: str, host: str | None) -> Any:  # type: ignore[override]
        if self._way is None:
            self._way = self._get("/", "GET", None)
        return self._way


class _Request(SanicRequest):
    """A request, or what stands for one that could not be read."""

    def __init__(self, url_bytes: bytes, *, method: str, **more: Any) -> None:
        # The target may be just what could not be read; to try again would end in a traceback.
        super().__init__(b"*" if method == "NONE" else url_bytes, method=method, **more)

    @property
    def path(self) -> str:
        # An absolute target need not have one.
        return bytes(self._parsed_url.path or b"/").decode("ascii")


def one_way_app(name: str, entry: SanicHandler) -> Sanic:  # type: ignore[type-arg]
    """An application whose requests all go to ``entry``, whatever they ask for.

    It is called before the body is read.
    """
    app = Sanic(name, configure_logging=False, router=_OneWay(), request_class=_Request)
    # Sanic marks what it is given, and a method takes no marks.
    app.add_route(partial(entry), "/", name="entry", stream=True)
    return app


# A request, and its answer.


def limit_body(request: SanicRequest, max_bytes: int) -> None:
    """Refuses a body that is longer. Before this, a body may have any length."""
    stream: Any = request.stream
    stream.request_max_size = max_bytes


def has_unread_body(request: SanicRequest) -> bool:
    """Whether there may be more of the body than was read."""
    stream: Any = request.stream
    return stream is not None and bool(stream.request_body)


def announced_bytes(request: SanicRequest) -> int:
    """How long the body is said to be; 0 if that is not said."""
    stream: Any = request.stream
    return int(stream.request_bytes)


def awaits_continue(request: SanicRequest) -> bool:
    """Whether the client sends the body only when it is told to: by 100, or by reading on."""
    stream: Any = request.stream
    return stream is not None and bool(stream.expecting_continue)


async def pieces_of_body(request: SanicRequest) -> AsyncIterator[bytes]:
    """The body as it arrives, none of it empty. Raises SanicException."""
    stream: Any = request.stream
    while has_unread_body(request):
        if piece := await stream.read():
            yield piece


async def read_into(request: SanicRequest, room: BodyRoom, came: Callable[[int], None]) -> None:
    """Some of the body, as ``StrictHttp.read_into`` has it. Raises SanicException."""
    stream: Any = request.stream
    await stream.read_into(room, came)


def leave_body_unread(request: SanicRequest) -> None:
    """Closes the connection behind the answer, rather than read or ask for the rest of the body."""
    stream: Any = request.stream
    stream.expecting_continue = False
    stream.keep_alive = False
    stream.request_body = None


def close_behind_answer(request: SanicRequest) -> None:
    """Has the answer say that it is the connection's last, and so it is."""
    stream: Any = request.stream
    if stream is not None:
        stream.keep_alive = False


def connection_of(request: SanicRequest) -> Any:
    """The protocol of the connection that it came over."""
    stream: Any = request.stream
    return stream.protocol


def say_no_more(request: SanicRequest) -> None:
    """Has Sanic send no error behind an answer that it has begun; its client is gone."""
    stream: Any = request.stream
    if stream is not None:
        stream.stage = Stage.FAILED


def head_bytes(answer: HTTPResponse) -> bytes:
    """The head of an answer as it is sent; raises all sorts of errors if it cannot be sent."""
    return format_http1_response(answer.status, answer.processed_headers)


def has_body(status: int) -> bool:
    """Whether an answer of this status has a body."""
    return bool(has_message_body(status))  # type: ignore[no-untyped-call]


# A connection.


class SanicProtocol(HttpProtocol):
    """Sanic's protocol of a connection, and when another may answer on it."""

    __slots__ = ("_is_leaving",)

    HTTP_CLASS = StrictHttp

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        # Sanic sets it only when its task begins.
        self._http: Any = None
        self._is_leaving = False

    def send_away(self) -> None:
        """Has the next answer that another gives be the last, and say so."""
        self._is_leaving = True

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)  # type: ignore[no-untyped-call]
        # Sanic leaves the clock of a connection running that the client has ended, which keeps all
        # of it, and its TLS, for half a minute.
        clock: Any = self._callback_check_timeouts
        if clock is not None:
            clock.cancel()

    @property
    def rests(self) -> bool:
        """Whether Sanic has no byte of a request, and will wait for one, or waits already."""
        if self.recv_buffer:
            return False
        http = self._http
        if http is None:
            # Of a new connection, Sanic's task has not begun yet. Of one that ends, it is gone.
            return self._task is not None
        # It forgets the last request when it has done everything about it.
        return http.request is None and http.stage is Stage.IDLE

    @property
    def awaits_head(self) -> bool:
        """Whether there is no request to answer: none was begun, or its head came only in part."""
        http = self._http
        if http is None:
            return True
        return http.stage in (Stage.IDLE, Stage.REQUEST) and b"\r\n\r\n" not in self.recv_buffer

    def abort(self) -> None:
        """Cuts the connection.

        Sanic would forget the transport, and then fail over a request whose head it has not read.
        """
        if self.transport is not None:
            self.transport.abort()

    @property
    def keeps_alive(self) -> bool:
        """Whether it may have another request, after one that another answers."""
        return not self._is_leaving and bool(self.app.config["KEEP_ALIVE"])

    @property
    def buffer_bytes(self) -> int:
        """How much of what comes early is kept."""
        return int(self.app.config.REQUEST_BUFFER_SIZE)

    def begin_handling(self, now_s: float) -> None:
        """Has Sanic's clock, and its idea of what is idle, count a request of another's.

        ``now_s``: by ``time.monotonic``.
        """
        self._time = now_s
        self._http.stage = Stage.HANDLER

    def end_handling(self) -> None:
        """The request that was begun is answered."""
        self._time = time.monotonic()
        self._http.stage = Stage.IDLE

    def is_in_use(self) -> None:
        """Has Sanic's clock begin anew: the client is at work, if only at taking an answer."""
        self._time = time.monotonic()

    @property
    def may_write(self) -> bool:
        """Whether the client reads what was sent."""
        return self._can_write.is_set()

    @property
    def may_answer_at_once(self) -> bool:
        """Whether it does, and Sanic's task has begun, which it has not for a first request."""
        return self._http is not None and self._can_write.is_set()

    async def wait_to_write(self) -> None:
        """Waits until the client does."""
        await self._can_write.wait()
