"""Guards: all guards of an HTTP worker, as one."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Sequence
from inspect import isawaitable
from typing import Any

from tfaas_core.errors import TfaasError
from tfaas_core.guard import Asking, Guard
from tfaas_core.routing.unexpected import is_given_up, unexpected
from tfaas_core.visit import Visit

_NOT_ASKED = object()


class Guards:
    """Admits those whom each of them admits. ``owned``: each with the module of its plugin."""

    def __init__(self, owned: Iterable[tuple[Guard, str]] = ()) -> None:
        self._guards = tuple(owned)
        self._care_for_models = any(
            type(guard).admit_to is not Guard.admit_to for guard, _owner in self._guards
        )

    def __bool__(self) -> bool:
        return bool(self._guards)

    def admit(self, asking: Asking, visit: Visit) -> Awaitable[None] | None:
        """Raises what one of them raises; ``visit`` gets to know who asks, and the gate.

        If one of them has to wait, that is done while what this gives is awaited.
        """
        identities: list[str] = []
        for guard, owner in self._guards:
            try:
                said = guard.admit(asking)
            except BaseException as error:
                raise _refusal(guard, owner, error) from error
            if not isinstance(said, str):
                return self._admitted(said, asking, identities, visit)
            identities.append(said)
            visit.identity = visit.identity or said
        if self._care_for_models:
            visit.gate = _Gate(self, asking, identities)
        return None

    async def _admitted(
        self, answer: Any, asking: Asking, identities: list[str], visit: Visit
    ) -> None:
        """Waits for the ``answer`` of one of them, and asks those behind it."""
        for guard, owner in self._guards[len(identities) :]:
            try:
                answer = guard.admit(asking) if answer is _NOT_ASKED else answer
                identity = await answer if isawaitable(answer) else answer
                if not isinstance(identity, str):
                    raise TypeError(f"admit gave {type(identity).__name__}, expected str")
            except BaseException as error:
                raise _refusal(guard, owner, error) from error
            identities.append(identity)
            visit.identity = visit.identity or identity
            answer = _NOT_ASKED
        if self._care_for_models:
            visit.gate = _Gate(self, asking, identities)

    async def admit_to(self, asking: Asking, identities: Sequence[str], model: str) -> None:
        """Raises what one of them raises; ``identities`` are what they said, in order."""
        for (guard, owner), identity in zip(self._guards, identities, strict=True):
            try:
                said: Any = guard.admit_to(asking, identity, model)
                if said is not None:
                    said = await said if isawaitable(said) else said
                if said is not None:  # "no" is to be raised: this might mean either
                    raise TypeError(f"admit_to gave {type(said).__name__}, expected None")
            except BaseException as error:
                raise _refusal(guard, owner, error) from error


def _refusal(guard: Guard, owner: str, error: BaseException) -> BaseException:
    if isinstance(error, TfaasError) or is_given_up(error):
        return error
    return unexpected(f"the guard {type(guard).__name__}", error, owner)


class _Gate:
    """Asks once for each model."""

    __slots__ = ("_admitted", "_asking", "_guards", "_identities")

    def __init__(self, guards: Guards, asking: Asking, identities: Sequence[str]) -> None:
        self._guards, self._asking, self._identities = guards, asking, identities
        self._admitted: set[str] = set()

    async def __call__(self, model: str) -> None:
        if model not in self._admitted:
            await self._guards.admit_to(self._asking, self._identities, model)
            self._admitted.add(model)
