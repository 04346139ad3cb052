"""Observers: all observers of an HTTP worker, and what they are told of the answers of a route."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from time import monotonic
from typing import TypeAlias

import msgspec

from tfaas_core.errors import DamagedFile, QueueFull, UnknownModel
from tfaas_core.events import (
    ModelCrashed,
    ModelEvent,
    ModelLoaded,
    ModelSwitched,
    ModelUnloaded,
    ModelUploaded,
)
from tfaas_core.observer import CUT, Answered, Observer, Outcome
from tfaas_core.route import Request, Response, Right
from tfaas_core.routing.arriving import Arriving
from tfaas_core.routing.untold_answers import LARGE_BYTES, MOST_UNTOLD, UntoldAnswers
from tfaas_core.texts.unreadable import UNREADABLE

_SILENT_S = 60.0

_METHODS: dict[type[ModelEvent], str] = {
    ModelUploaded: "uploaded",
    ModelSwitched: "switched",
    ModelLoaded: "loaded",
    ModelUnloaded: "unloaded",
    ModelCrashed: "crashed",
}

_REFUSALS = frozenset((401, 403, 408, 413, 429, 431, 507))
_REFUSALS_BY_CODE = frozenset((DamagedFile.code, QueueFull.code))
_CHANGES = frozenset(("upload", "delete", "admin"))
"""Rights that take more than looking or asking."""

_Listener: TypeAlias = tuple[int, Callable[..., None]]
_Failed: TypeAlias = Callable[[int, BaseException], None]

_log = logging.getLogger("tfaas.observers")


class Observers:
    """Tells each of them; ``owned``: each with the module of its plugin."""

    def __init__(self, owned: Iterable[tuple[Observer, str]] = ()) -> None:
        self._observers = tuple(owned)
        self._of_answers = self._listeners("answered")
        self._of_begins = self._listeners("begun")
        self._of_untold = self._listeners("untold")
        self._of_many = self._listeners("finished")
        self._of_audits = self._listeners("audited")
        self._untold = UntoldAnswers(self._tell_of, self._announce)
        self._of_events = {kind: self._listeners(method) for kind, method in _METHODS.items()}
        self._silent_until_s: dict[int, float] = {}
        self.hear_events = any(self._of_events.values())
        """Whether any of them does anything with what is no answer."""

    def at(self, path: str = "", right: Right | None = "read") -> RouteObservers | None:
        """For a route of this pattern that takes ``right``; None if none of them does anything with
        an answer."""
        hearing = self._of_answers + self._of_many
        if not (hearing or self._of_audits or self._of_begins):
            return None
        named = any(self._observers[n][0].needs_request_ids for n, _own in hearing)
        untold = self._untold if self._of_many else None
        begun = self._begun if self._of_begins else None
        listeners = self._of_answers, self._of_audits
        return RouteObservers(*listeners, self.failed, path, right, named, untold, begun)

    def happened(self, event: ModelEvent) -> None:
        """What one of them raises is logged, and the others are told all the same."""
        _each(self._of_events[type(event)], self.failed, event)

    def _begun(self, request: Request) -> None:
        _each(self._of_begins, self.failed, request)

    def tell_now(self) -> None:
        """Tells of what was answered, and is told later otherwise."""
        self._untold.tell()

    def _announce(self) -> None:
        _each(self._of_untold, self.failed)

    def _tell_of(self, outcomes: Sequence[Outcome]) -> None:
        _each(self._of_many, self.failed, outcomes)

    def _listeners(self, method: str) -> tuple[_Listener, ...]:
        """Those that have the method of their own, by their numbers."""
        ours = getattr(Observer, method)
        methods = ((n, getattr(each, method)) for n, (each, _) in enumerate(self._observers))
        return tuple((n, own) for n, own in methods if getattr(own, "__func__", None) is not ours)

    def failed(self, number: int, error: BaseException) -> None:
        """Logs what one of them raised, once a minute at most."""
        observer, owner = self._observers[number]
        now_s = monotonic()
        if now_s < self._silent_until_s.get(number, 0.0):
            return
        self._silent_until_s[number] = now_s + _SILENT_S
        _log.error(
            "the observer %s of plugin %s failed; told once in %d s",
            type(observer).__name__,
            owner,
            _SILENT_S,
            exc_info=error,
        )


class RouteObservers:
    """Those that are told of the answers of one route.

    ``begun`` is told of each request first, if anybody wants to be.
    ``hear_all``: whether one of them is told of each. ``need_ids``: whether each is to have an id.
    ``may_change``: whether those that are no errors may have to be audited.
    """

    __slots__ = (
        *("_auditors", "_failed", "_listeners", "_path", "_right", "_untold"),
        *("begun", "hear_all", "may_change", "need_ids"),
    )

    def __init__(
        self,
        listeners: tuple[_Listener, ...],
        auditors: tuple[_Listener, ...],
        failed: _Failed,
        path: str,
        right: Right | None,
        need_ids: bool,
        untold: UntoldAnswers | None = None,
        begun: Callable[[Request], None] | None = None,
    ) -> None:
        self._listeners = listeners
        self._auditors = auditors
        self._failed = failed
        self._path = path
        self._right = right
        self.may_change = auditors != () and right in (None, *_CHANGES)
        self._untold = untold
        self.begun = begun
        self.hear_all = listeners != () or untold is not None
        self.need_ids = need_ids

    @property
    def attend(self) -> bool:
        """Whether they may want to know of each request who asks, and for which model."""
        return self.hear_all or self.may_change or self.begun is not None

    @property
    def are_content(self) -> bool:
        """Whether they are told of each answer, and want no more of those that are no errors."""
        return self.hear_all and not self.need_ids and not self.may_change

    def note(self, request: Request, response: Response, is_refused: bool = False) -> bool:
        """Whether it is to be audited: a refusal, or what was to change something.

        ``is_refused``: whether the request came to no handler.
        """
        status = response.status
        if (
            is_refused
            or status in _REFUSALS
            or (status == 503 and _code(response) in _REFUSALS_BY_CODE)
        ):
            return self._auditors != ()
        right = self._right or ("read" if request.method in ("GET", "HEAD") else "admin")
        return self.may_change and right in _CHANGES

    def tell(self, request: Arriving, response: Response) -> None:
        """As ``answered``, of a whole answer that is no error, if they are content.

        Most are told so: what ``UntoldAnswers.add`` does is written out here, which costs less.
        """
        end_s, body_bytes = monotonic(), len(response.body)
        if (untold := self._untold) is not None:
            if not (outcomes := untold.outcomes):
                untold.begin()
            outcomes.append(Outcome(request, response, self._path, body_bytes, end_s))
            if len(outcomes) == MOST_UNTOLD or body_bytes + len(request.body) >= LARGE_BYTES:
                untold.hurry()
        if self._listeners:
            answer = self._answer(request, response, body_bytes, end_s, False)
            _each(self._listeners, self._failed, answer)

    def answered(
        self,
        request: Arriving,
        response: Response,
        answer_bytes: int,
        is_noted: bool,
        is_cut: bool = False,
    ) -> None:
        """Tells them; what one of them raises is logged, and the others are told all the same.

        ``answer_bytes``: of the body, as far as it was sent. ``is_noted``: what ``note`` says.
        ``is_cut``: whether it ended early.
        """
        end_s = monotonic()
        if self._untold is not None:
            self._untold.add(Outcome(request, response, self._path, answer_bytes, end_s, is_cut))
        listeners = (*self._listeners, *self._auditors) if is_noted else self._listeners
        if listeners:
            answer = self._answer(request, response, answer_bytes, end_s, is_cut)
            _each(listeners, self._failed, answer)

    def _answer(
        self, request: Arriving, response: Response, answer_bytes: int, end_s: float, is_cut: bool
    ) -> Answered:
        visit, head = request.visit, request.head
        assert visit is not None
        is_error = response.status >= 400 and not is_cut
        code = _code(response) if is_error else CUT if is_cut else ""
        # In their order: by their names would take several times as long.
        return Answered(
            head.method,
            head.raw_path,
            self._path,
            request.client,
            response.status,
            code,
            visit.identity,
            None if request.is_arriving else len(request.body),
            answer_bytes,
            end_s - request.begin_s,
            visit.codec,
            "" if code == UnknownModel.code else visit.model,
            visit.version,
            visit.rows,
            visit.wait_s,
            visit.run_s,
            visit.request_id,
        )


def _each(listeners: Iterable[_Listener], failed: _Failed, *what: object) -> None:
    """Tells each; of what one raises, ``failed`` is told, and the others hear all the same."""
    for number, listener in listeners:
        try:
            listener(*what)
        except BaseException as error:  # a plugin may call exit()
            failed(number, error)


class _Error(msgspec.Struct):
    code: str = ""


def _code(response: Response) -> str:
    """That of an error's document."""
    if response.media_type != "application/json":
        return ""
    try:
        return msgspec.json.decode(response.body, type=_Error).code
    except UNREADABLE:
        return ""
