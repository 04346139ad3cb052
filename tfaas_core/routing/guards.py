"""Guards: all guards of an HTTP worker, as one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tfaas_core.errors import TfaasError
from tfaas_core.guard import Asking, Guard
from tfaas_core.routing.unexpected import is_given_up, unexpected
from tfaas_core.visit import Visit


class Guards:
    """Admits those whom each of them admits. ``owned``: each with the module of its plugin."""

    def __init__(self, owned: Iterable[tuple[Guard, str]] = ()) -> None:
        self._guards = tuple(owned)
        self._care_for_models = any(
            type(guard).admit_to is not Guard.admit_to for guard, _owner in self._guards
        )

    def __bool__(self) -> bool:
        return bool(self._guards)

    async def admit(self, asking: Asking, visit: Visit) -> None:
        """Raises what one of them raises; ``visit`` gets to know who asks, and the gate."""
        identities = []
        for guard, owner in self._guards:
            try:
                identity = await guard.admit(asking)
            except BaseException as error:
                raise _refusal(guard, owner, error) from error
            identities.append(identity)
            visit.identity = visit.identity or identity
        if self._care_for_models:
            visit.gate = _Gate(self, asking, identities)

    async def admit_to(self, asking: Asking, identities: Sequence[str], model: str) -> None:
        """Raises what one of them raises; ``identities`` are what they said, in order."""
        for (guard, owner), identity in zip(self._guards, identities, strict=True):
            try:
                await guard.admit_to(asking, identity, model)
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
