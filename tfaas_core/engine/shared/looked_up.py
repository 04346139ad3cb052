"""LookedUp: an HTTP worker to the pool, once it has seen which versions of a model there are."""

from __future__ import annotations

import msgspec


class LookedUp(msgspec.Struct, frozen=True, tag=True):
    """I know the versions of this model, as they are by now: what I ask for is wanted."""

    model: str
