"""Asked guards: a guard of a plugin, and those that authenticate as one, as requests ask them."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Iterable
from inspect import isawaitable
from typing import Any, TypeAlias

import msgspec

from tfaas_core.errors import TfaasError, Unavailable
from tfaas_core.guard import Asking, Guard, UnknownCredential
from tfaas_core.routing.guard_wait import GuardHangsError, answer_of
from tfaas_core.routing.unexpected import is_given_up, unexpected

_log = logging.getLogger("tfaas.http")

Owned: TypeAlias = tuple[Guard, str]
"""A guard, and the module of its plugin."""

Admission: TypeAlias = tuple[Guard, str, str]
"""The same, and who it said asks."""


class AskedGuard(msgspec.Struct, frozen=True):
    """``guard``, of the plugin ``owner``."""

    guard: Guard
    owner: str

    def admit(self, asking: Asking) -> Admission | Awaitable[Admission]:
        """Raises what it raises, or what became of that."""
        try:
            said = self.guard.admit(asking)
        except BaseException as error:
            raise refusal_of(self.guard, self.owner, error) from error
        return (self.guard, self.owner, said) if isinstance(said, str) else self.awaited(said)

    async def awaited(self, answer: Any) -> Admission:
        """The same of what it gave, if that is no identity: it has to be waited for."""
        try:
            said = await answer_of(answer) if isawaitable(answer) else answer
            if not isinstance(said, str):
                raise TypeError(f"admit gave {type(said).__name__}, expected str")
        except BaseException as error:
            raise refusal_of(self.guard, self.owner, error) from error
        return self.guard, self.owner, said


class AnyOf(msgspec.Struct, frozen=True):
    """Guards that authenticate, of which one has to know who asks."""

    asked: tuple[AskedGuard, ...]

    def admit(self, asking: Asking) -> Admission | Awaitable[Admission]:
        """What the first says that knows who asks.

        Raises what it raises; if none knows, what the first of them raised.
        """
        unknown: UnknownCredential | None = None
        for number, asked in enumerate(self.asked):
            try:
                said = asked.admit(asking)
            except UnknownCredential as error:
                unknown = unknown or error
                continue
            if isinstance(said, tuple):
                return _known(said)
            return self._awaited(asking, said, self.asked[number + 1 :], unknown)
        assert unknown is not None
        raise unknown

    async def _awaited(
        self,
        asking: Asking,
        answer: Awaitable[Admission],
        others: Iterable[AskedGuard],
        unknown: UnknownCredential | None,
    ) -> Admission:
        """Waits for the ``answer`` of one, and asks ``others``, which are behind it."""
        asked: AskedGuard | None
        for asked in (None, *others):
            try:
                said = answer if asked is None else asked.admit(asking)
                return _known(said if isinstance(said, tuple) else await said)
            except UnknownCredential as error:
                unknown = unknown or error
        assert unknown is not None
        raise unknown


def asked_of(guards: Iterable[Owned]) -> tuple[AskedGuard | AnyOf, ...]:
    """``guards`` in their order; those that authenticate are one, where the first of them is."""
    asked: list[AskedGuard | AnyOf] = [AskedGuard(*owned) for owned in guards]
    proving = tuple(a for a in asked if isinstance(a, AskedGuard) and a.guard.authenticates)
    if len(proving) < 2:
        return tuple(asked)
    asked[asked.index(proving[0])] = AnyOf(proving)
    return tuple(each for each in asked if each not in proving)


def refusal_of(guard: Guard, owner: str, error: BaseException) -> BaseException:
    """What becomes of what a guard raised: itself, or an error that names the plugin."""
    if isinstance(error, TfaasError) or is_given_up(error):
        return error
    what = f"the guard {type(guard).__name__}"
    if isinstance(error, GuardHangsError):
        _log.error("plugin %s hangs in %s: %s", owner, what, error)
        return Unavailable(
            f"plugin {owner} could not find out in time who may do this; try again", plugin=owner
        )
    return unexpected(what, error, owner)


def _known(admitted: Admission) -> Admission:
    guard, owner, identity = admitted
    if not identity:
        fault = TypeError("admit knows a credential, but gave nobody's name")
        raise refusal_of(guard, owner, fault)
    return admitted
