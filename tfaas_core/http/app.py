"""The Sanic application that serves a Host's routes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any
from urllib.parse import unquote

from sanic import HTTPResponse, Sanic
from sanic.request import Request as SanicRequest

from tfaas_core.errors import TfaasError
from tfaas_core.host import Host
from tfaas_core.http.errors import error_answer, install_error_handler
from tfaas_core.http.express import ExpressLane
from tfaas_core.http.foreign import ForeignWatch
from tfaas_core.http.request import HttpRequest
from tfaas_core.route import Response, Route

UPLOAD_TIMEOUT_S = 180
"""Without a byte from or to the client, a request ends after this. Loading an upload is silent."""

_SanicHandler = Callable[..., Coroutine[Any, Any, HTTPResponse | None]]


def create_app(host: Host, name: str = "tfaas") -> Sanic:  # type: ignore[type-arg]
    """An application with exactly the routes that ``host`` composes."""
    app = Sanic(name, configure_logging=False)
    server = host.config.server
    app.config.update(
        {
            "ACCESS_LOG": False,
            "AUTO_EXTEND": False,
            "FALLBACK_ERROR_FORMAT": "json",
            "KEEP_ALIVE_TIMEOUT": 120,
            "MOTD": False,
            "REQUEST_MAX_SIZE": server.max_body_bytes,
            "RESPONSE_TIMEOUT": server.request_timeout_s + UPLOAD_TIMEOUT_S,
        }
    )
    install_error_handler(app, server.max_body_bytes)
    routes = host.routes()
    app.ctx.foreign = ForeignWatch()
    app.ctx.express_lane = ExpressLane(routes, server.base, server.max_body_bytes)
    for index, route in enumerate(routes):
        methods = [*route.methods, *(["HEAD"] if "GET" in route.methods else [])]
        path = server.base + route.path.replace("{", "<").replace("}", ">")
        app.add_route(
            _sanic_handler(route), path, methods, name=f"route{index}", stream=route.streams
        )
    return app


def _sanic_handler(route: Route) -> _SanicHandler:
    answer = route.handler

    async def handle(request: SanicRequest, **fields: str) -> HTTPResponse | None:
        path_fields = {name: unquote(value) for name, value in fields.items()}
        try:
            response = await answer(HttpRequest(request, path_fields))
        except TfaasError as error:
            _hang_up_on_unread_body(request)
            response = error_answer(error)
        _close_when_draining(request)
        if response.stream is not None:
            return await _stream(request, response, response.stream)
        return HTTPResponse(
            response.body, response.status, dict(response.headers), response.media_type
        )

    return handle


async def _stream(
    request: SanicRequest, response: Response, pieces: AsyncIterator[bytes]
) -> HTTPResponse | None:
    head = HTTPResponse(
        status=response.status, headers=dict(response.headers), content_type=response.media_type
    )
    if request.method == "HEAD":
        return head
    answer = await request.respond(head)
    async for piece in pieces:
        if piece:
            await answer.send(piece)
    await answer.eof()
    return None


def _hang_up_on_unread_body(request: SanicRequest) -> None:
    """Rather than read the rest of a refused body, closes the connection behind the answer."""
    stream: Any = request.stream
    if stream is not None and stream.request_body:
        stream.keep_alive = False
        stream.request_body = None


def _close_when_draining(request: SanicRequest) -> None:
    """Sanic decided before the handler ran whether it keeps the connection."""
    stream: Any = request.stream
    if stream is not None and not request.app.config.KEEP_ALIVE:
        stream.keep_alive = False
