"""The seam: what every request passes on its way to a handler, and every answer on its way back.

``Host.routes`` wraps each handler once, and HTTP asks nothing but what is wrapped: the express
lane and Sanic's alike, and requests for paths that nobody serves.
"""

from __future__ import annotations

from collections.abc import Awaitable, Collection

import msgspec

from tfaas_core.errors import TfaasError, is_error_status
from tfaas_core.route import (
    Begun,
    Handler,
    Head,
    Request,
    Response,
    Route,
    ShortWay,
    TakeAnswer,
    json_response,
    request_id_of,
)
from tfaas_core.routing.arriving import Arriving
from tfaas_core.routing.cors import Cors
from tfaas_core.routing.culprit import culprit
from tfaas_core.routing.guards import Guards, RouteGuards
from tfaas_core.routing.in_flight import LONG_BYTES
from tfaas_core.routing.observers import Observers
from tfaas_core.routing.proxies import Proxies
from tfaas_core.routing.sendable import sendable
from tfaas_core.routing.sites import check_site
from tfaas_core.routing.unexpected import is_given_up, unexpected
from tfaas_core.routing.way_back import WayBack, has_id, is_told_later, sent_bytes
from tfaas_core.system.resources.kept_frames import forget_frames
from tfaas_core.texts.json_text import plain
from tfaas_core.visit import Visit

_PLAIN_WAY_BACK = WayBack()


class Passage:
    """A handler behind the seam.

    It answers every request, whatever the handler raises, and with what can be sent.
    """

    __slots__ = (
        *("_begun", "_cors", "_guards", "_handler", "_is_attended", "_is_ours", "_is_told_alone"),
        *("_plugins", "_proxies", "_short", "_streams", "_takes_all", "_tell", "_way_back"),
        "owner",
    )

    def __init__(
        self,
        handler: Handler,
        streams: bool = False,
        owner: str = "",
        plugins: Collection[str] = (),
        is_ours: bool = False,
        guards: RouteGuards | None = None,
        proxies: Proxies | None = None,
        way_back: WayBack = _PLAIN_WAY_BACK,
        cors: Cors | None = None,
        short: ShortWay | None = None,
    ) -> None:
        """``owner``: the module of the plugin that the handler comes from.

        ``plugins``: those of all plugins, any of which the handler may call. ``streams``: whether
        it reads a body piece by piece. ``is_ours``: what it answers needs no check, which each
        request would pay for. ``guards`` it asks first, and ``way_back`` takes the answers; before
        both, ``proxies`` tell whose request it is. ``cors``: which other sites may send more than
        looks. ``short`` is taken if nobody has to wait, and answers are left as they are.
        """
        self._handler = handler
        self._streams = streams
        self._is_ours = is_ours
        self._plugins = plugins
        self._guards = guards
        self._proxies = proxies
        self._cors = cors
        self._way_back = way_back
        self._begun = way_back.begun
        self._takes_all, self._tell = way_back.takes_all, way_back.tell
        self._is_attended = guards is not None or proxies is not None or way_back.attends
        self._is_told_alone = self._tell is not None and guards is None and proxies is None
        is_left_alone = self._tell is not None or not self._takes_all
        has_short = is_ours and is_left_alone and self._begun is None and proxies is None
        self._short = short if has_short else None
        self.owner = owner

    async def __call__(self, request: Arriving) -> Response:
        """What the client gets. Raises CancelledError alone, if the request is given up."""
        is_refused = True
        head = request.head
        try:
            if self._is_attended and (waiting := self._admit(request)) is not None:
                await waiting
            if head.is_cross_site:
                check_site(head, self._cors)
            if request.is_arriving and not self._streams:
                await request.receive()
            is_refused = False
            if self._begun is not None and request.visit is not None:
                request.visit.begins_step()
            response = await self._handler(request)
            if not self._is_ours:
                response = sendable(response)
        except BaseException as error:  # a plugin may call exit()
            if is_given_up(error):
                raise
            response = self._failed(request, error)
        # As has_id says; its call would take as long as the rest of this.
        if head.request_id is None and response.status < 400:
            known = request.visit
            if known is None or not known.request_id:
                if not self._takes_all:
                    return response
                if self._tell is not None and response.stream is None and response.status == 200:
                    if len(response.body) <= LONG_BYTES:
                        self._tell(request, response)
                    return response
        return self._way_back.passed(request, response, is_refused)

    def _admit(self, request: Arriving) -> Awaitable[None] | None:
        """Asks guards, once about each request; what this gives, if anything, is to be awaited."""
        visit = request.visit
        if visit is not None and visit.is_admitted:
            return visit.waiting
        if self._proxies is not None:
            request.client = self._proxies.client(request.client, request.headers)
        # In their order: by its name would take longer.
        visit = request.visit = Visit(None, None, None, request.begin_s)
        if self._begun is not None:
            self._begun(request)
        waiting = None if self._guards is None else self._guards.admit(request, visit)
        visit.is_admitted = True
        return waiting

    def short_for(self, head: Head) -> ShortWay | None:
        """The way that requests which begin so may take, past the handler; None: none."""
        short = self._short
        if short is None or head.is_cross_site or head.request_id is not None:
            return None
        return short if short.takes(head) else None

    def begin(self, short: ShortWay, request: Arriving, reply: TakeAnswer) -> Begun | None:
        """Begins to answer by what ``short_for`` gave, as that does, unless a guard has to wait.

        Raises what guards raise, too.
        """
        if not self._is_attended:
            return short.begin(request, None, reply)
        if self._is_told_alone:
            # Nobody is asked: what _admit would do costs less so.
            told = request.visit = Visit(None, None, None, request.begin_s)
            told.is_admitted = True
            return short.begin(request, told, reply)
        waiting, visit = self._admit(request), request.visit
        if waiting is None or visit is None:
            return short.begin(request, visit, reply)
        visit.waiting = waiting
        return None

    def ended(self, request: Arriving, answer: Response | BaseException) -> Response:
        """What the client gets whose request was begun. ``answer`` is what ``reply`` was told."""
        if isinstance(answer, Response):
            if self._tell is not None:
                self._tell(request, answer)
            return answer
        visit = request.visit
        is_refused = self._is_attended and (visit is None or not visit.is_admitted)
        return self._way_back.passed(request, self._failed(request, answer), is_refused)

    def sent(
        self, request: Arriving, response: Response, answer_bytes: int, is_cut: bool = False
    ) -> None:
        """Called once a long answer or a stream has ended, or was cut, so that observers are told.

        ``answer_bytes``: as many of them were sent.
        """
        self._way_back.sent(request, response, answer_bytes, is_cut)

    def unsent(self, request: Arriving, error: BaseException) -> Response:
        """What the client gets if one of these failed before anything of it was sent."""
        response = self.failed(request, error)
        if not is_told_later(request, response):
            self.sent(request, response, sent_bytes(request, response))
        return response

    def refused(self, request: Arriving, response: Response, error: Exception) -> Response:
        """What the client gets if ``response`` cannot be sent because of ``error``."""
        if is_told_later(request, response):
            return self.unsent(request, error)
        return self.failed(request, error)

    def given_up(self, request: Arriving, error: TfaasError) -> Response:
        """What the client gets whose request was given up because of ``error``."""
        return self._way_back.passed(request, self._failed(request, error), is_refused=False)

    def failed(self, request: Arriving, error: BaseException) -> Response:
        """What the client gets because of ``error``; it is logged, unless it is a TfaasError."""
        return self._way_back.dressed(request, self._failed(request, error))

    def _failed(self, request: Request, error: BaseException) -> Response:
        try:
            return self._told(request, error)
        finally:
            forget_frames(error)

    def _told(self, request: Request, error: BaseException) -> Response:
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
            unexpected(_doing(request), error, self.blamed(error))

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
    proxies: Proxies | None = None,
    cors: Cors | None = None,
) -> SealedRoute:
    """The route, behind the seam; the arguments are those of ``Passage``."""
    asked = None if guards is None or route.public else guards.at(route.path, route.right)
    told = None if observers is None else observers.at(route.path, route.right)
    back = WayBack(told, cors, not {"GET", "HEAD"}.isdisjoint(route.methods))
    watching = asked, proxies, back, cors, route.short
    passage = Passage(route.handler, route.streams, owner, plugins, is_ours, *watching)
    return SealedRoute(**msgspec.structs.asdict(route), passage=passage)


def error_answer(error: TfaasError) -> Response:
    """The JSON answer that ``error`` becomes."""
    status = error.status if is_error_status(error.status) else 500
    answer = json_response(plain({**error.document(), "status": status}), status)
    headers = error.headers()
    return msgspec.structs.replace(answer, headers=headers) if headers else answer


def bug_answer(request: Request, error: BaseException, owner: str = "") -> Response:
    """Logs what nobody should have raised, and gives what the client is told."""
    return error_answer(unexpected(_doing(request), error, owner))


def _doing(request: Request) -> str:
    """As logs name what went wrong."""
    named = f" (id {request_id_of(request)})" if has_id(request) else ""
    return f"{request.method} {request.head.raw_path}{named}"
