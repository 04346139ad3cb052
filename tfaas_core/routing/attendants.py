"""Attendants: whom a route asks before it answers, and whom it tells afterwards."""

from __future__ import annotations

import time
from collections.abc import Awaitable

import msgspec

from tfaas_core.errors import UnknownModel
from tfaas_core.guard import Asking
from tfaas_core.observer import CUT, Answered
from tfaas_core.route import Request, Response, Right
from tfaas_core.routing.guards import Guards
from tfaas_core.routing.observers import Observers
from tfaas_core.visit import Visit


class Attendants:
    """The guards and observers of one route. ``path``: its pattern; ``right``: what it takes."""

    __slots__ = ("_admit", "_answered", "_path", "_right")

    def __init__(
        self, guards: Guards, observers: Observers, path: str = "", right: Right | None = None
    ) -> None:
        self._admit = guards.admit if guards else None
        self._answered = observers.answered if observers.hear_answers else None
        self._path = path
        self._right = right

    def begins(self, request: Request) -> Awaitable[None] | None:
        """Begins a visit, and asks the guards. Raises what they raise.

        If one of them has to wait, they have admitted it once what this gives was awaited.
        """
        visit = request.visit = Visit(begin_s=time.monotonic())
        if self._admit is None:
            return None
        head = request.head
        right = self._right or ("read" if head.method in ("GET", "HEAD") else "admin")
        waiting = self._admit(Asking(head, request.client, right, self._path), visit)
        name = head.path_fields.get("name")
        if name is None:
            return waiting
        if waiting is None and visit.gate is None:
            visit.model = name
            return None
        return _admitted(waiting, visit, name)

    def ends(
        self,
        request: Request,
        response: Response,
        body_bytes: int | None,
        answer_bytes: int,
        is_cut: bool = False,
    ) -> None:
        """Tells the observers.

        ``body_bytes``: of the request; None if they were streamed. ``is_cut``: whether the answer
        ended early.
        """
        visit = request.visit
        if visit is None or self._answered is None:
            return
        head = request.head
        code = CUT if is_cut else _code(response) if response.status >= 400 else ""
        # In their order: by their names would take several times as long.
        answer = Answered(
            head.method,
            head.raw_path,
            self._path,
            request.client,
            response.status,
            code,
            visit.identity,
            body_bytes,
            answer_bytes,
            time.monotonic() - visit.begin_s,
            visit.codec,
            "" if code == UnknownModel.code else visit.model,
            visit.version,
            visit.rows,
            visit.wait_s,
            visit.run_s,
        )
        self._answered(answer)


async def _admitted(waiting: Awaitable[None] | None, visit: Visit, model: str) -> None:
    if waiting is not None:
        await waiting
    await visit.to_model(model)


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
