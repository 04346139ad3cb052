"""Attendants: whom a route asks before it answers, and whom it tells afterwards."""

from __future__ import annotations

import time
from collections.abc import Awaitable

import msgspec

from tfaas_core.errors import UnknownModel
from tfaas_core.guard import Asking
from tfaas_core.observer import Answered
from tfaas_core.route import Request, Response, Right
from tfaas_core.routing.guards import Guards
from tfaas_core.routing.observers import Observers
from tfaas_core.visit import Visit


class Attendants:
    """The guards and observers of one route. ``path``: its pattern; ``right``: what it takes."""

    __slots__ = ("_guards", "_observers", "_path", "_right")

    def __init__(
        self, guards: Guards, observers: Observers, path: str = "", right: Right | None = None
    ) -> None:
        self._guards = guards
        self._observers = observers
        self._path = path
        self._right = right

    def begins(self, request: Request) -> Awaitable[None] | None:
        """Begins a visit; if there are guards, they admit it while what this gives is awaited."""
        visit = request.visit = Visit(begin_s=time.monotonic())
        return self._admitted(request, visit) if self._guards else None

    async def _admitted(self, request: Request, visit: Visit) -> None:
        head = request.head
        right = self._right or ("read" if head.method in ("GET", "HEAD") else "admin")
        await self._guards.admit(Asking(head, request.client, right, self._path), visit)
        if "name" in head.path_fields:
            await visit.to_model(head.path_fields["name"])

    def ends(self, request: Request, response: Response, body_bytes: int | None) -> None:
        """Tells the observers. ``body_bytes``: of the request; None if they were streamed."""
        visit = request.visit
        if visit is None or not self._observers.hear_answers:
            return
        head = request.head
        code = _code(response) if response.status >= 400 else ""
        answer = Answered(
            method=head.method,
            path=head.raw_path,
            route=self._path,
            client=request.client,
            identity=visit.identity,
            status=response.status,
            code=code,
            request_bytes=body_bytes,
            answer_bytes=len(response.body) if response.stream is None else None,
            duration_s=time.monotonic() - visit.begin_s,
            codec=visit.codec,
            model=visit.model if code != UnknownModel.code else "",
            version=visit.version,
            rows=visit.rows,
            wait_s=visit.wait_s,
            run_s=visit.run_s,
        )
        self._observers.answered(answer)


def attendants_of(
    guards: Guards | None,
    observers: Observers | None,
    path: str = "",
    right: Right | None = None,
) -> Attendants | None:
    """None if there is nobody to ask or to tell, so that requests cost nothing more."""
    if not guards and not (observers and observers.hear_answers):
        return None
    return Attendants(guards or Guards(), observers or Observers(), path, right)


class _Error(msgspec.Struct):
    code: str = ""


def _code(response: Response) -> str:
    """That of an error's document."""
    if response.media_type != "application/json":
        return ""
    try:
        return msgspec.json.decode(response.body, type=_Error).code
    except msgspec.MsgspecError:
        return ""
