"""Guarded: a passage that asks guards before the body is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import msgspec

from tfaas_core.errors import TfaasError
from tfaas_core.guard import Asking, Guard
from tfaas_core.route import Request, Response, Route
from tfaas_core.routing.seam import Arriving, Passage, SealedRoute, unexpected
from tfaas_core.visit import Visit


class Guards:
    """All guards of an HTTP worker. ``owners``: the modules of their plugins."""

    def __init__(self, guards: Mapping[Guard, str]) -> None:
        self._guards = tuple(guards.items())

    def __bool__(self) -> bool:
        return bool(self._guards)

    async def admit(self, asking: Asking, visit: Visit) -> None:
        """Asks each of them; ``visit`` gets who asks, and the gate to models."""
        identities = []
        for guard, owner in self._guards:
            try:
                identities.append(await guard.admit(asking))
            except TfaasError:
                raise
            except Exception as error:
                raise unexpected("the guard's admit", error, owner) from error
        visit.identity = next(filter(None, identities), "")
        admitted: set[str] = set()

        async def gate(model: str) -> None:
            if model not in admitted:
                await self._admit_to(asking, identities, model)
                admitted.add(model)

        visit.gate = gate

    async def _admit_to(self, asking: Asking, identities: list[str], model: str) -> None:
        for (guard, owner), identity in zip(self._guards, identities, strict=True):
            try:
                await guard.admit_to(asking, identity, model)
            except TfaasError:
                raise
            except Exception as error:
                raise unexpected("the guard's admit_to", error, owner) from error


class GuardedPassage(Passage):
    """Does what ``passage`` does, for those whom ``guards`` admit."""

    __slots__ = ("_guards", "_passage", "_route")

    def __init__(self, passage: Passage, route: Route, guards: Guards) -> None:
        super().__init__(self._admitted, streams=True, owner=passage.owner)
        self._passage = passage
        self._route = route
        self._guards = guards

    async def _admitted(self, request: Request) -> Response:
        visit = request.visit = request.visit or Visit()
        head = request.head
        right = self._route.right_for(head.method)
        asking = Asking(head, request.client, right, self._route.path)
        await self._guards.admit(asking, visit)
        if "name" in head.path_fields:
            await visit.to_model(head.path_fields["name"])
        return await self._passage(cast(Arriving, request))


def guarded(route: SealedRoute, guards: Guards) -> SealedRoute:
    """The route, which ``guards`` are asked for."""
    return msgspec.structs.replace(route, passage=GuardedPassage(route.passage, route, guards))
