"""The seam: what every request passes on its way to a handler, and every answer on its way back.

``Host.routes`` wraps each handler once, and HTTP asks nothing but what is wrapped: the express
lane and Sanic's alike, and requests for paths that nobody serves.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from typing import Protocol

import msgspec

from tfaas_core.errors import SEE_LOG, TfaasError, is_error_status, plugin_failed
from tfaas_core.json_text import plain
from tfaas_core.route import Handler, Request, Response, Route, json_response
from tfaas_core.routing.culprit import culprit

_log = logging.getLogger("tfaas.http")


class Arriving(Request, Protocol):
    """A request whose head is there, and whose body may still be on its way."""

    @property
    def is_arriving(self) -> bool:
        """Whether ``body`` is not there yet."""
        ...

    async def receive(self) -> None:
        """Waits until ``body`` is there, whole; raises TooLarge, BadBody and HttpRefused."""
        ...


class Passage:
    """A handler behind the seam. It answers every request, whatever the handler raises."""

    __slots__ = ("_handler", "_plugins", "_streams", "owner")

    def __init__(
        self,
        handler: Handler,
        streams: bool = False,
        owner: str = "",
        plugins: Collection[str] = (),
    ) -> None:
        """``owner``: the module of the plugin that the handler comes from.

        ``plugins``: those of all plugins, any of which the handler may call.
        """
        self._handler = handler
        self._streams = streams
        self._plugins = plugins
        self.owner = owner

    async def __call__(self, request: Arriving) -> Response:
        """What the client gets. Raises CancelledError alone, if the request is given up."""
        # Whoever guards a route will look at request.head and request.client here, before the
        # body is read; and whoever observes, at what is returned, errors included.
        try:
            try:
                if request.is_arriving and not self._streams:
                    await request.receive()
                response = await self._handler(request)
                if not isinstance(response, Response):
                    raise TypeError(f"the handler answered {response!r:.200}, not a Response")
                return response
            except TfaasError as error:
                self._log_bug(request, error)
                return error_answer(error)
        except (Exception, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and _is_told_to_end():
                raise
            return bug_answer(request, error, self._culprit(error))

    def _log_bug(self, request: Arriving, error: TfaasError) -> None:
        """Logs an error of status 500, unless that was done where it comes from."""
        is_bug = error.status == 500 or not is_error_status(error.status)
        if is_bug and not error.is_logged:
            unexpected(f"{request.method} {request.head.raw_path}", error, self._culprit(error))

    def _culprit(self, error: BaseException) -> str:
        return culprit(error, self._plugins) or self.owner


class SealedRoute(Route, frozen=True, kw_only=True):
    """A route that HTTP may serve: by ``passage``, and never by ``handler``."""

    passage: Passage


def sealed(route: Route, owner: str = "", plugins: Collection[str] = ()) -> SealedRoute:
    """The route, behind the seam; ``owner`` is the module of its plugin, one of ``plugins``."""
    passage = Passage(route.handler, route.streams, owner, plugins)
    return SealedRoute(**msgspec.structs.asdict(route), passage=passage)


def error_answer(error: TfaasError) -> Response:
    """The JSON answer that ``error`` becomes."""
    status = error.status if is_error_status(error.status) else 500
    answer = json_response(plain({**error.document(), "status": status}), status)
    headers = error.headers()
    return msgspec.structs.replace(answer, headers=headers) if headers else answer


def bug_answer(request: Request, error: BaseException, owner: str = "") -> Response:
    """Logs what nobody should have raised, and gives what the client is told."""
    return error_answer(unexpected(f"{request.method} {request.head.raw_path}", error, owner))


def unexpected(what: str, exception: BaseException, owner: str = "") -> TfaasError:
    """Logs what nobody should have raised while doing ``what``, and gives what a client is told.

    ``owner`` is the module of the plugin that is to blame, if one is.
    """
    if owner:
        told = plugin_failed(owner, what, exception)
        _log.error("%s", told.message.removesuffix(SEE_LOG), exc_info=exception)
        return told
    _log.error("%s failed", what, exc_info=exception)
    return TfaasError("the server failed; this is a bug, please report it")


def _is_told_to_end() -> bool:
    """Whether this task was cancelled, rather than something that it waited for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
