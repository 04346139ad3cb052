"""The Sanic application that serves a Host's routes."""

from __future__ import annotations

from sanic import HTTPResponse, Sanic
from sanic.request import Request as SanicRequest

from tfaas_core.fields import Headers
from tfaas_core.host import Host
from tfaas_core.http.body import ArrivingRequest
from tfaas_core.http.door import Door
from tfaas_core.http.errors import install_error_handler
from tfaas_core.http.express import ExpressLane
from tfaas_core.http.foreign import ForeignWatch
from tfaas_core.http.grammar import MAX_HEAD_BYTES
from tfaas_core.http.long_answers import head_of, send_long
from tfaas_core.http.pace import LeastPace
from tfaas_core.http.protocol import TfaasProtocol
from tfaas_core.http.request import split_target
from tfaas_core.http.router import Found, Router
from tfaas_core.http.safe_headers import safe_headers
from tfaas_core.http.sanic_parts import (
    awaits_continue,
    close_behind_answer,
    connection_of,
    has_unread_body,
    leave_body_unread,
    one_way_app,
)
from tfaas_core.http.sanic_wire import SanicWire
from tfaas_core.http.streaming import close, send_pieces
from tfaas_core.route import Head, Response
from tfaas_core.routing.in_flight import OVERDRAFT_BYTES, InFlight
from tfaas_core.routing.seam import Passage
from tfaas_core.routing.sendable import sendable
from tfaas_core.routing.side import Side
from tfaas_core.routing.way_back import is_long

IDLE_TIMEOUT_S = 120
"""How long a connection stays open between two requests."""

_TOO_MUCH = (408, 413, 503)
"""Statuses of refusals because of a body, the rest of which would be too much, too."""

UPLOAD_TIMEOUT_S = 180
"""Without a byte from or to the client, a request ends after this. Loading an upload is silent."""


def create_app(host: Host, side: Side = "predictions") -> Sanic:  # type: ignore[type-arg]
    """An application with exactly the routes that ``host`` composes.

    If management has a port of its own, these are the routes of one ``side``; each has a door.
    """
    server = host.config.server
    only = side if server.has_admin_port else None
    sides = host.observers, only, host.proxies, host.cors
    router = Router(host.routes(), server.base, *sides)
    max_body_bytes = min(server.max_body_bytes, host.in_flight.most_bytes)
    door = Door.of(host.config)
    lane = SanicLane(router, max_body_bytes, host.in_flight, door, server.scheme)
    app = one_way_app(f"tfaas-{side}", lane.answer)
    # Sanic would hand it to any plugin that asks, for middleware that no request passes.
    Sanic.unregister_app(app)
    app.config.update(
        {
            "ACCESS_LOG": False,
            "AUTO_EXTEND": False,
            "FALLBACK_ERROR_FORMAT": "json",
            # Whom a proxy speaks for, Proxies tell, whatever the environment tells Sanic.
            "FORWARDED_SECRET": None,
            "KEEP_ALIVE_TIMEOUT": IDLE_TIMEOUT_S,
            "MOTD": False,
            "PROXIES_COUNT": None,
            "REAL_IP_HEADER": None,
            "REQUEST_MAX_HEADER_SIZE": MAX_HEAD_BYTES,
            "REQUEST_MAX_SIZE": max_body_bytes,
            # LeastPace has clocks of its own.
            "REQUEST_TIMEOUT": IDLE_TIMEOUT_S + host.config.limits.head_timeout_s,
            "RESPONSE_TIMEOUT": server.request_timeout_s + UPLOAD_TIMEOUT_S,
        }
    )
    install_error_handler(app, max_body_bytes, router.way_back)
    app.ctx.foreign = ForeignWatch()
    app.ctx.least_pace = LeastPace.of(host.config.limits)
    app.ctx.in_flight = host.in_flight
    app.ctx.door = door
    app.ctx.express_lane = ExpressLane(router, max_body_bytes, server.scheme, host.in_flight)
    return app


class SanicLane:
    """Answers requests that Sanic reads: all but plain ones."""

    def __init__(
        self, router: Router, max_body_bytes: int, in_flight: InFlight, door: Door, scheme: str
    ) -> None:
        self._router = router
        self._max_body_bytes = max_body_bytes
        self._in_flight = in_flight
        self._door = door
        self._scheme = scheme

    async def answer(self, request: SanicRequest) -> HTTPResponse | None:
        """Passes a request, whose body is still to be read, to its handler."""
        path, query = split_target(request.raw_url.decode("ascii"))
        found = self._router.find(request.method, path)
        headers = _headers(request)
        head = Head(request.method, path, query, headers, found.path_fields, self._scheme)
        connection: TfaasProtocol = connection_of(request)
        asked = ArrivingRequest(
            head,
            connection.client,
            sanic=request,
            max_bytes=self._max_body_bytes,
            in_flight=self._in_flight,
            overdraft=OVERDRAFT_BYTES if found.manages else 0,
        )
        if not found.is_quick and connection.is_one_too_many:
            found = self._router.refused(self._door.no_room())
        try:
            return await self._answered(asked, found)
        finally:
            asked.give_back()

    async def _answered(self, asked: ArrivingRequest, found: Found) -> HTTPResponse | None:
        request, passage = asked.sanic, found.passage
        response = await passage(asked)
        _settle_connection(request, found, response)
        try:
            answer = _sanics(sendable(response))
        except Exception as error:  # of ours, which the passage does not check
            return _sanics(passage.refused(asked, response, error))
        pieces = response.stream
        if pieces is None:
            return await self._whole(asked, response, answer, passage)
        if request.method == "HEAD":
            await close(pieces)
            passage.sent(asked, response, 0)
            return answer
        wire = SanicWire(request, answer)
        instead = await send_pieces(wire, pieces, asked, response, passage)
        if instead is not None:
            return await self._whole(asked, instead, _sanics(instead), passage)
        return None if wire.has_begun else answer

    async def _whole(
        self, asked: ArrivingRequest, response: Response, answer: HTTPResponse, passage: Passage
    ) -> HTTPResponse | None:
        """``answer``, which is ``response`` and no stream, unless it was sent in pieces."""
        if asked.head.method == "HEAD" or not is_long(response):
            return answer
        wire = SanicWire(asked.sanic, _sanics(head_of(response)))
        await send_long(wire, asked, response, passage, self._in_flight)
        return None


def _headers(request: SanicRequest) -> Headers:
    return Headers([(name, value.rstrip(" \t")) for name, value in request.headers.items()])


def _settle_connection(request: SanicRequest, found: Found, response: Response) -> None:
    """Sanic decided before the handler ran whether it keeps the connection."""
    refused = response.status >= 400 and has_unread_body(request)
    if refused and (found.streams or response.status in _TOO_MUCH or awaits_continue(request)):
        leave_body_unread(request)
    if not request.app.config.KEEP_ALIVE:
        close_behind_answer(request)


def _sanics(response: Response) -> HTTPResponse:
    headers = safe_headers(response.media_type, response.headers)
    return HTTPResponse(_body(response), response.status, headers, response.media_type)


def _body(response: Response) -> bytes | None:
    return response.body if response.stream is None else None
