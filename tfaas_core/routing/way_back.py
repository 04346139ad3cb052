"""WayBack: what an answer gets on its way back to the client, and who is told of it."""

from __future__ import annotations

import msgspec

from tfaas_core.request_ids import REQUEST_ID_HEADER
from tfaas_core.route import Request, Response, request_id_of
from tfaas_core.routing.arriving import Arriving
from tfaas_core.routing.cors import Cors
from tfaas_core.routing.in_flight import LONG_BYTES
from tfaas_core.routing.observers import RouteObservers

_WITHOUT_BODY = (204, 304)


def is_long(response: Response) -> bool:
    """Whether it has a body that is sent in pieces, since to write it at once takes long."""
    is_whole = response.stream is None and len(response.body) > LONG_BYTES
    return is_whole and response.status not in _WITHOUT_BODY


def sent_bytes(request: Request, response: Response) -> int:
    """Of the body of a response that is sent whole: HEAD, 204 and 304 are answered without it."""
    is_bare = request.method == "HEAD" or response.status in _WITHOUT_BODY
    return 0 if is_bare else len(response.body)


def has_id(request: Request) -> bool:
    """Whether ``request`` has an id, or has to be given one."""
    visit = request.visit
    return request.head.request_id is not None or (visit is not None and visit.request_id != "")


def is_told_later(request: Request, response: Response) -> bool:
    """Whether observers are told of an answer by ``Passage.sent``, once it has been sent."""
    return response.stream is not None or (is_long(response) and request.method != "HEAD")


class WayBack:
    """The way back from one route.

    ``takes_all``: whether every answer has to pass it. If not, errors have to, and the answers to
    requests with an id; others would be left as they are.
    """

    __slots__ = ("_cors", "_observers", "attends", "begun", "takes_all", "tell")

    def __init__(
        self,
        observers: RouteObservers | None = None,
        cors: Cors | None = None,
        has_heads: bool = True,
    ) -> None:
        """``has_heads``: whether HEAD may be asked, whose answers have no body."""
        self._observers = observers
        self._cors = cors
        self.attends = observers is not None and observers.attend
        """Whether who is told wants to know more of each request than its head."""
        self.begun = None if observers is None else observers.begun
        """Is told of each request first, if anybody wants to be."""
        self.takes_all = cors is not None or self.attends
        is_short = cors is None and observers is not None and observers.are_content
        is_short = is_short and not has_heads
        self.tell = observers.tell if observers is not None and is_short else None
        """All that becomes of an answer of status 200 that has no id, and is neither long nor
        streamed; None: it has to pass."""

    def passed(self, request: Arriving, response: Response, is_refused: bool) -> Response:
        """What the client gets. Observers are told, but of what is long, or a stream, once that has
        been sent.

        ``is_refused``: whether the request came to no handler.
        """
        told = self._observers
        if told is None:
            return self.dressed(request, response)
        is_noted = response.status >= 400 or told.may_change
        is_noted = is_noted and told.note(request, response, is_refused)
        if is_noted or told.need_ids:
            request_id_of(request)
        if self._cors is not None or has_id(request):
            response = self.dressed(request, response)
        if (is_noted or told.hear_all) and not is_told_later(request, response):
            told.answered(request, response, sent_bytes(request, response), is_noted)
        return response

    def dressed(self, request: Arriving, response: Response) -> Response:
        """``response`` with the headers that it gets here."""
        headers: dict[str, str] = {}
        if self._cors is not None:
            headers |= self._cors.headers(request.head.headers, response.headers)
        if has_id(request):
            headers[REQUEST_ID_HEADER] = request_id_of(request)
        if not headers:
            return response
        return msgspec.structs.replace(response, headers={**response.headers, **headers})

    def sent(self, request: Arriving, response: Response, answer_bytes: int, is_cut: bool) -> None:
        """Observers are told of a long answer or a stream that has ended, or was cut."""
        told = self._observers
        if told is None:
            return
        is_noted = told.note(request, response)
        if is_noted or told.hear_all:
            told.answered(request, response, answer_bytes, is_noted, is_cut)
