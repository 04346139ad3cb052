"""The seam: what every request passes on its way to a handler, and every answer on its way back.

``Host.routes`` wraps each handler once, and HTTP asks nothing but what is wrapped: the express
lane and Sanic's alike, and requests for paths that nobody serves.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

import msgspec

from tfaas_core.errors import TfaasError, is_error_status
from tfaas_core.json_text import plain
from tfaas_core.route import Handler, Request, Response, Route, json_response
from tfaas_core.routing.attendants import Attendants, attendants_of
from tfaas_core.routing.culprit import culprit
from tfaas_core.routing.guards import Guards
from tfaas_core.routing.observers import Observers
from tfaas_core.routing.sendable import sendable
from tfaas_core.routing.unexpected import is_given_up, unexpected


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
    """A handler behind the seam.

    It answers every request, whatever the handler raises, and with what can be sent.
    """

    __slots__ = (
        *("_attendants", "_handler", "_is_ours", "_plugins", "_streams"),
        "owner",
    )

    def __init__(
        self,
        handler: Handler,
        streams: bool = False,
        owner: str = "",
        plugins: Collection[str] = (),
        is_ours: bool = False,
        attendants: Attendants | None = None,
    ) -> None:
        """``owner``: the module of the plugin that the handler comes from.

        ``plugins``: those of all plugins, any of which the handler may call. ``streams``: whether
        it reads a body piece by piece. ``is_ours``: what it answers needs no check, which each
        request would pay for. ``attendants``: whom it asks first, and tells afterwards, if anybody.
        """
        self._handler = handler
        self._streams = streams
        self._is_ours = is_ours
        self._plugins = plugins
        self._attendants = attendants
        self.owner = owner

    async def __call__(self, request: Arriving) -> Response:
        """What the client gets. Raises CancelledError alone, if the request is given up."""
        attendants = self._attendants
        try:
            if attendants is not None and (admission := attendants.begins(request)) is not None:
                await admission
            if request.is_arriving and not self._streams:
                await request.receive()
            response = await self._handler(request)
            if not self._is_ours:
                response = sendable(response)
        except BaseException as error:  # a plugin may call exit()
            if is_given_up(error):
                raise
            response = self.failed(request, error)
        if attendants is not None and response.stream is None:
            self._tell(request, response, len(response.body))
        return response

    def streamed(
        self, request: Arriving, response: Response, answer_bytes: int, is_cut: bool = False
    ) -> None:
        """Called once a stream has ended, or was cut, so that observers are told."""
        if self._attendants is not None:
            self._tell(request, response, answer_bytes, is_cut)

    def unstreamed(self, request: Arriving, error: BaseException) -> Response:
        """What the client gets if a stream failed before its first piece was sent."""
        response = self.failed(request, error)
        if self._attendants is not None:
            self._tell(request, response, len(response.body))
        return response

    def _tell(
        self, request: Arriving, response: Response, answer_bytes: int, is_cut: bool = False
    ) -> None:
        assert self._attendants is not None
        received = None if request.is_arriving else len(request.body)
        self._attendants.ends(request, response, received, answer_bytes, is_cut)

    def failed(self, request: Request, error: BaseException) -> Response:
        """What the client gets because of ``error``; it is logged, unless it is a TfaasError."""
        fault = error
        if isinstance(error, TfaasError):
            self._log_bug(request, error)
            try:
                return sendable(error_answer(error))
            except BaseException as wrong:  # a plugin's class may have methods of its own
                fault = wrong
        owner = culprit(fault, self._plugins) or self.blamed(error)
        return bug_answer(request, fault, owner)

    def _log_bug(self, request: Request, error: TfaasError) -> None:
        """Logs an error of status 500, unless that was done where it comes from."""
        is_bug = error.status == 500 or not is_error_status(error.status)
        if is_bug and not error.is_logged:
            unexpected(f"{request.method} {request.head.raw_path}", error, self.blamed(error))

    def blamed(self, error: BaseException) -> str:
        """The module of the plugin whose fault ``error`` is; empty if it is none's."""
        return culprit(error, self._plugins) or self.owner


class SealedRoute(Route, frozen=True, kw_only=True):
    """A route that HTTP may serve: by ``passage``, and never by ``handler``."""

    passage: Passage


def sealed(
    route: Route,
    owner: str = "",
    plugins: Collection[str] = (),
    is_ours: bool = False,
    guards: Guards | None = None,
    observers: Observers | None = None,
) -> SealedRoute:
    """The route, behind the seam; the arguments are those of ``Passage``."""
    attendants = attendants_of(guards, observers, route.path, route.right)
    passage = Passage(route.handler, route.streams, owner, plugins, is_ours, attendants)
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
