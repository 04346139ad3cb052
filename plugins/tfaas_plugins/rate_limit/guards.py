"""AddressLimit and NameLimit: guards that let in no more than the limits say."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from functools import lru_cache
from hashlib import sha256
from ipaddress import IPv6Address
from typing import Protocol

import msgspec

from tfaas_core.guard import Asking, Guard
from tfaas_plugins.rate_limit.limit import Limit

UPLOADS = ("/upload", "/bundle")
"""The routes that store a model. A roll-back takes the same right, but may be urgent."""

_LONGEST = 100


class Claim(msgspec.Struct, frozen=True, gc=False):
    """One request of ``who``, which ``limit`` counts."""

    limit: Limit
    who: str


class Counters(Protocol):
    """Counts for all HTTP workers."""

    def take(self, claims: Sequence[Claim]) -> Awaitable[None] | None:
        """Counts one request more for each claim, in order; those behind a refusal are not counted.

        Raises OverLimit, at once or where what it gives is awaited, if one of the limits is
        reached. If it cannot count, it lets everybody in, and says so in the log.
        """
        ...

    async def close(self) -> None:
        """Ends its connections."""
        ...


class AddressLimit(Guard):
    """Limits each client address: ``predictions``, and ``uploads``. Other routes have no limit."""

    knows_who_asks = False

    def __init__(
        self, predictions: Sequence[Limit], uploads: Sequence[Limit], counters: Counters
    ) -> None:
        self._predictions = tuple(predictions)
        self._uploads = tuple(uploads)
        self._counters = counters

    def admit(self, asking: Asking) -> str | Awaitable[str]:
        """Nobody in particular; raises OverLimit."""
        if asking.right == "predict":
            limits = self._predictions if _may_predict(asking) else ()
        else:
            limits = self._uploads if asking.route in UPLOADS else ()
        if not limits:
            return ""
        who = network_of(asking.client.ip)
        waiting = self._counters.take([Claim(limit, who) for limit in limits])
        return "" if waiting is None else _nobody(waiting)


class NameLimit(Guard):
    """Limits predictions of each ``identity`` that other guards named, and by each ``model``."""

    knows_who_asks = False

    def __init__(
        self, identity: Sequence[Limit], model: Sequence[Limit], counters: Counters
    ) -> None:
        self._identity = tuple(identity)
        self._model = tuple(model)
        self._counters = counters

    def admit(self, asking: Asking) -> str:
        """Nobody in particular: ``admit_to`` knows more."""
        return ""

    def admit_to(self, asking: Asking, identity: str, model: str) -> Awaitable[None] | None:
        """Raises OverLimit."""
        if asking.right != "predict" or not _may_predict(asking):
            return None
        claims = [Claim(limit, _key(model)) for limit in self._model]
        if who := asking.identity:
            claims = [*(Claim(limit, _key(who)) for limit in self._identity), *claims]
        return self._counters.take(claims)


def _may_predict(asking: Asking) -> bool:
    """Whether a request that takes the right to predict may be a prediction: it may only look."""
    return asking.head.method not in ("GET", "HEAD")


async def _nobody(waiting: Awaitable[None]) -> str:
    await waiting
    return ""


def _key(name: str) -> str:
    """The same for the same name, but short, and plain: names are as clients send them."""
    if len(name) <= _LONGEST and name.isascii():
        return name
    return sha256(name.encode("utf-8", "surrogatepass")).hexdigest()


@lru_cache(4096)
def network_of(ip: str) -> str:
    """Whom an address belongs to: of IPv6, customers have a /64 at least."""
    if ":" not in ip:
        return ip
    address = IPv6Address(ip)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return f"{IPv6Address(int(address) >> 64 << 64)}/64"
