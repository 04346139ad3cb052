"""Guards: all guards of an HTTP worker, and what they are asked about the requests of a route."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from inspect import isawaitable
from itertools import dropwhile
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from tfaas_core.errors import Forbidden
from tfaas_core.guard import Asking, Guard
from tfaas_core.route import Head, Request, Right
from tfaas_core.routing.asked_guards import (
    Admission,
    AnyOf,
    AskedGuard,
    Owned,
    asked_of,
    refusal_of,
)
from tfaas_core.routing.guard_wait import answer_of
from tfaas_core.visit import Gate, Visit

if TYPE_CHECKING:
    from tfaas_core.config import Config

_NOT_ASKED = object()

T = TypeVar("T")


class Guards:
    """Admits those whom each of them admits. ``owned``: each with the module of its plugin."""

    def __init__(self, owned: Iterable[Owned] = ()) -> None:
        self._owned = tuple(owned)

    @property
    def know_who_asks(self) -> bool:
        """Whether one of them keeps strangers out."""
        return any(guard.knows_who_asks for guard, _owner in self._owned)

    @property
    def renewed(self) -> set[str]:
        """The plugins of those that take a configuration which was read again."""
        return {owner for guard, owner in self._owned if type(guard).renew is not Guard.renew}

    def renew(self, config: Config) -> None:
        """Has each of them take it. Raises what the first that cannot raises."""
        for guard, _owner in self._owned:
            guard.renew(config)

    def at(self, path: str, right: Right | None) -> RouteGuards | None:
        """For a route of this pattern that takes ``right``; None if there is no guard."""
        if not self._owned:
            return None
        kind = LoneGuard if len(self._owned) == 1 else RouteGuards
        return kind(self._owned, path, right)


class RouteGuards:
    """The guards of one route. Those that wait for nothing are asked without a coroutine."""

    __slots__ = ("_asked", "_care_for_models", "_path", "_right")

    def __init__(self, owned: tuple[Owned, ...], path: str, right: Right | None) -> None:
        self._asked = asked_of(owned)
        self._care_for_models = any(
            type(guard).admit_to is not Guard.admit_to for guard, _owner in owned
        )
        self._path = path
        self._right = right

    def admit(self, request: Request, visit: Visit) -> Awaitable[None] | None:
        """Raises what one of them raises; ``visit`` gets to know who asks, and the gate.

        If one of them has to wait, they have admitted it once what this gives was awaited.
        """
        head = request.head
        asking = Asking(head, request.client, self._right or _right(head), self._path)
        admitted: list[Admission] = []
        try:
            for asked in self._asked:
                said = asked.admit(asking)
                if not isinstance(said, tuple):
                    rest = _since(asked, self._asked)
                    return self._admitted(said, rest, asking, admitted, visit)
                admitted.append(said)
                if said[2] and not visit.identity:
                    visit.identity = said[2]
        except Forbidden as refusal:
            visit.identity = visit.identity or refusal.identity
            raise
        if self._care_for_models:
            visit.gate = _gate(asking, admitted, visit.identity)
        return _to_model_of(head, visit) if head.path_fields else None

    async def _admitted(
        self,
        answer: Admission | Awaitable[Admission] | None,
        guards: Iterable[AskedGuard | AnyOf],
        asking: Asking,
        admitted: list[Admission],
        visit: Visit,
    ) -> None:
        """Waits for the ``answer`` of the first of ``guards``, and asks those behind it."""
        try:
            for asked in guards:
                said = asked.admit(asking) if answer is None else answer
                said = said if isinstance(said, tuple) else await said
                visit.identity = visit.identity or said[2]
                admitted.append(said)
                answer = None
        except Forbidden as refusal:
            visit.identity = visit.identity or refusal.identity
            raise
        if self._care_for_models:
            visit.gate = _gate(asking, admitted, visit.identity)
        waiting = _to_model_of(asking.head, visit)
        if waiting is not None:
            await waiting


class LoneGuard(RouteGuards):
    """The only guard there is, asked without what it takes to ask several."""

    __slots__ = ("_guard", "_owner")

    def __init__(self, owned: tuple[Owned, ...], path: str, right: Right | None) -> None:
        super().__init__(owned, path, right)
        ((self._guard, self._owner),) = owned

    def admit(self, request: Request, visit: Visit) -> Awaitable[None] | None:
        """As ``RouteGuards`` has it."""
        head = request.head
        asking = Asking(head, request.client, self._right or _right(head), self._path)
        try:
            said = self._guard.admit(asking)
        except BaseException as error:
            if isinstance(error, Forbidden):
                visit.identity = error.identity
            raise refusal_of(self._guard, self._owner, error) from error
        if not isinstance(said, str):
            answer = AskedGuard(self._guard, self._owner).awaited(said)
            return self._admitted(answer, self._asked, asking, [], visit)
        if said:
            visit.identity = said
        if self._care_for_models:
            visit.gate = _gate(asking, [(self._guard, self._owner, said)], said)
        return _to_model_of(head, visit) if head.path_fields else None


def _right(head: Head) -> Right:
    """What a route takes that does not say it."""
    return "read" if head.method in ("GET", "HEAD") else "admin"


def _to_model_of(head: Head, visit: Visit) -> Awaitable[None] | None:
    """Asks them again if the path names a model."""
    name = head.path_fields.get("name")
    return None if name is None else visit.goes_to(name)


def _gate(asking: Asking, admitted: list[Admission], identity: str) -> Gate:
    """Asks about models those guards that have ``admitted`` the request of ``identity``.

    Those that only count are asked last: what another refuses is not for them to count.
    """
    if len(admitted) > 1:
        admitted.sort(key=_only_counts)
    if identity:
        asking = Asking(asking.head, asking.client, asking.right, asking.route, identity)
    return _Gate(asking, admitted).admit_to


class _Gate(msgspec.Struct, gc=False):
    """Asks guards about models, once about each.

    ``admitted``: who let the request in, with their plugins, and who they said asks. ``models``:
    to which it may go.
    """

    asking: Asking
    admitted: list[Admission]
    models: set[str] = set()

    def admit_to(self, model: str) -> Awaitable[None] | None:
        """Raises what one of them raises; if one of them has to wait, while this is awaited."""
        if model in self.models:
            return None
        for admitted in self.admitted:
            guard, owner, identity = admitted
            try:
                answer = guard.admit_to(self.asking, identity, model)
            except BaseException as error:
                raise refusal_of(guard, owner, error) from error
            if answer is not None:
                return self._admitted_to(model, answer, _since(admitted, self.admitted))
        self.models.add(model)
        return None

    async def _admitted_to(self, model: str, answer: Any, guards: Iterable[Admission]) -> None:
        """Waits for the ``answer`` of the first of ``guards``, and asks those behind it."""
        for guard, owner, identity in guards:
            try:
                if answer is _NOT_ASKED:
                    answer = guard.admit_to(self.asking, identity, model)
                said = await answer_of(answer) if isawaitable(answer) else answer
                if said is not None:  # "no" is to be raised: this might mean either
                    raise TypeError(f"admit_to gave {type(said).__name__}, expected None")
            except BaseException as error:
                raise refusal_of(guard, owner, error) from error
            answer = _NOT_ASKED
        self.models.add(model)


def _only_counts(admitted: Admission) -> bool:
    return not admitted[0].knows_who_asks


def _since(one: T, guards: Iterable[T]) -> Iterable[T]:
    """``one`` of ``guards``, and those behind it."""
    return dropwhile(lambda each: each is not one, guards)
