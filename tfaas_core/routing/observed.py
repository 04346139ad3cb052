"""Observed: a passage that tells observers of each answer."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping

import msgspec

from tfaas_core.observer import Answered, Observer
from tfaas_core.route import Request, Response
from tfaas_core.routing.seam import Arriving, Passage, SealedRoute
from tfaas_core.visit import Visit

_SILENT_S = 60.0

_log = logging.getLogger("tfaas.observers")


class Observers:
    """All observers of an HTTP worker, as one. ``owners``: the modules of their plugins."""

    def __init__(self, observers: Mapping[Observer, str]) -> None:
        self._observers = tuple(observers)
        self._owners = dict(observers)
        self._silent_until_s: dict[Observer, float] = {}

    def __bool__(self) -> bool:
        return bool(self._observers)

    def answered(self, answer: Answered) -> None:
        """Tells each of them; what one raises is logged, and the others are told all the same."""
        for observer in self._observers:
            try:
                observer.answered(answer)
            except BaseException as error:  # a plugin may call exit()
                self._failed(observer, error)

    def _failed(self, observer: Observer, error: BaseException) -> None:
        now_s = time.monotonic()
        if now_s < self._silent_until_s.get(observer, 0.0):
            return
        self._silent_until_s[observer] = now_s + _SILENT_S
        _log.error(
            "the observer %s of plugin %s failed; told once in %d s",
            type(observer).__name__,
            self._owners[observer],
            _SILENT_S,
            exc_info=error,
        )


class ObservedPassage(Passage):
    """Does what ``passage`` does, and tells ``observers``. ``route``: the pattern, if any."""

    __slots__ = ("_observers", "_passage", "_route")

    def __init__(self, passage: Passage, route: str, observers: Observers) -> None:
        self._passage = passage
        self._route = route
        self._observers = observers
        self.owner = passage.owner

    async def __call__(self, request: Arriving) -> Response:
        begin_s = time.monotonic()
        visit = request.visit = Visit()
        response = await self._passage(request)
        self._observers.answered(self._answered(request, response, visit, begin_s))
        return response

    def failed(self, request: Request, error: BaseException) -> Response:
        return self._passage.failed(request, error)

    def blamed(self, error: BaseException) -> str:
        return self._passage.blamed(error)

    def _answered(
        self, request: Arriving, response: Response, visit: Visit, begin_s: float
    ) -> Answered:
        head, timing = request.head, visit.timing
        return Answered(
            method=head.method,
            path=head.raw_path,
            route=self._route,
            client=request.client,
            status=response.status,
            code=_code(response),
            request_bytes=None if request.is_arriving else len(request.body),
            answer_bytes=len(response.body) if response.stream is None else None,
            duration_s=time.monotonic() - begin_s,
            codec=visit.codec,
            model=visit.model,
            version=visit.version,
            rows=visit.rows,
            identity=visit.identity,
            wait_s=timing.wait_s,
            run_s=timing.run_s,
        )


def observed(route: SealedRoute, observers: Observers) -> SealedRoute:
    """The route, whose answers ``observers`` are told of."""
    passage = ObservedPassage(route.passage, route.path, observers)
    return msgspec.structs.replace(route, passage=passage)


class _Error(msgspec.Struct):
    code: str = ""


def _code(response: Response) -> str:
    """That of an error's document."""
    if response.status < 400 or response.media_type != "application/json":
        return ""
    try:
        return msgspec.json.decode(response.body, type=_Error).code
    except msgspec.MsgspecError:
        return ""
