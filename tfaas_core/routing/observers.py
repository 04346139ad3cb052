"""Observers: all observers of an HTTP worker, and what they are told of the answers of a route."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import msgspec

from tfaas_core.errors import UnknownModel
from tfaas_core.events import (
    ModelCrashed,
    ModelEvent,
    ModelLoaded,
    ModelSwitched,
    ModelUnloaded,
    ModelUploaded,
)
from tfaas_core.observer import CUT, Answered, Observer
from tfaas_core.route import Response
from tfaas_core.routing.arriving import Arriving

_SILENT_S = 60.0

_METHODS: dict[type[ModelEvent], str] = {
    ModelUploaded: "uploaded",
    ModelSwitched: "switched",
    ModelLoaded: "loaded",
    ModelUnloaded: "unloaded",
    ModelCrashed: "crashed",
}

_Listener: TypeAlias = tuple[int, Callable[[Any], None]]

_log = logging.getLogger("tfaas.observers")


class Observers:
    """Tells each of them; ``owned``: each with the module of its plugin."""

    def __init__(self, owned: Iterable[tuple[Observer, str]] = ()) -> None:
        self._observers = tuple(owned)
        self._of_answers = self._listeners("answered")
        self._of_events = {kind: self._listeners(method) for kind, method in _METHODS.items()}
        self._silent_until_s: dict[int, float] = {}
        self.hear_events = any(self._of_events.values())
        """Whether any of them does anything with what is no answer."""

    def at(self, path: str = "") -> RouteObservers | None:
        """For a route of this pattern; None if none of them does anything with an answer."""
        return RouteObservers(self._of_answers, self.failed, path) if self._of_answers else None

    def happened(self, event: ModelEvent) -> None:
        """What one of them raises is logged, and the others are told all the same."""
        for number, listener in self._of_events[type(event)]:
            try:
                listener(event)
            except BaseException as error:  # a plugin may call exit()
                self.failed(number, error)

    def _listeners(self, method: str) -> tuple[_Listener, ...]:
        """Those that have the method of their own, by their numbers."""
        ours = getattr(Observer, method)
        methods = ((n, getattr(each, method)) for n, (each, _) in enumerate(self._observers))
        return tuple((n, own) for n, own in methods if getattr(own, "__func__", None) is not ours)

    def failed(self, number: int, error: BaseException) -> None:
        """Logs what one of them raised, once a minute at most."""
        observer, owner = self._observers[number]
        now_s = time.monotonic()
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
    """Those that are told of the answers of one route."""

    __slots__ = ("_failed", "_listeners", "_path")

    def __init__(
        self,
        listeners: tuple[_Listener, ...],
        failed: Callable[[int, BaseException], None],
        path: str,
    ) -> None:
        self._listeners = listeners
        self._failed = failed
        self._path = path

    def answered(
        self, request: Arriving, response: Response, answer_bytes: int, is_cut: bool = False
    ) -> None:
        """Tells them; what one of them raises is logged, and the others are told all the same.

        ``answer_bytes``: of the body, as far as it was sent. ``is_cut``: whether it ended early.
        """
        visit = request.visit
        if visit is None:
            return
        head = request.head
        is_error = response.status >= 400 and not is_cut
        code = _code(response) if is_error else CUT if is_cut else ""
        # In their order: by their names would take several times as long.
        answer = Answered(
            head.method,
            head.raw_path,
            self._path,
            request.client,
            response.status,
            code,
            visit.identity,
            None if request.is_arriving else len(request.body),
            answer_bytes,
            time.monotonic() - visit.begin_s,
            visit.codec,
            "" if code == UnknownModel.code else visit.model,
            visit.version,
            visit.rows,
            visit.wait_s,
            visit.run_s,
        )
        for number, listener in self._listeners:
            try:
                listener(answer)
            except BaseException as error:  # a plugin may call exit()
                self._failed(number, error)


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
