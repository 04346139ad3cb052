"""Guard: who may do what."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable
from typing import TYPE_CHECKING, ClassVar

import msgspec

from tfaas_core.errors import Unauthorized
from tfaas_core.route import ClientAddress, Head, Right

if TYPE_CHECKING:
    from tfaas_core.config import Config


class Asking(msgspec.Struct, frozen=True, gc=False):
    """What somebody asks for. The body is not there yet."""

    head: Head
    client: ClientAddress
    """The other end of the connection, or whom a proxy that ``server.proxies`` names says it is."""
    right: Right
    """What it takes to be answered."""
    route: str
    """The pattern of the path, like ``/models/{name}``."""
    identity: str = ""
    """In ``admit_to``: who asks, as the first guard said that knows it. In ``admit``: empty."""


class UnknownCredential(Unauthorized):
    """Nothing that was sent proves to this guard who asks; to another one it may."""


class Guard(ABC):
    """All guards must allow what is asked, so that each can only make a server stricter.

    Of those that authenticate, one has to: see ``authenticates``.

    They are called in the event loop of an HTTP worker, and must not block it. A method that has to
    wait for something is ``async``; one that has not is a plain function, which costs less. What
    they raise besides TfaasError is a 500 that names the plugin: a guard that fails lets nobody
    pass. One that has not answered after 10 s is cancelled, and the request gets 503.
    """

    knows_who_asks: ClassVar[bool] = True
    """Whether it keeps strangers out; False for a guard that only counts, say."""

    authenticates: ClassVar[bool] = False
    """Whether it tells by a credential who asks, such as a token, and never without.

    Clients may have credentials of several kinds, with a guard for each. These guards are asked in
    their order: the first that knows who asks decides alone what he may. One that raises
    UnknownCredential leaves the request to the others, and whatever else it raises is final. If
    none knows who asks, nobody passes."""

    @abstractmethod
    def admit(self, asking: Asking) -> str | Awaitable[str]:
        """Who asks, for logs and limits; empty if that is nobody in particular.

        Called before the body is read. Raises Unauthorized, Forbidden, TooManyRequests, or another
        TfaasError, which is the answer then. A Forbidden that has an ``identity`` lets logs say who
        was refused.
        """

    def admit_to(self, asking: Asking, identity: str, model: str) -> Awaitable[None] | None:
        """Called again as soon as it is known which model it is about, if it is about one.

        Whether there is such a model has not been looked up: who is refused does not learn it.
        ``identity`` is what ``admit`` said. Raises as ``admit`` does; any answer but None is a
        fault of the guard, and nobody passes. By default all models are allowed.
        """
        return None

    def renew(self, config: Config) -> None:
        """Takes its tables of a configuration that was read again, which SIGHUP asks for.

        Called in the event loop, as a plain function, and between the two questions about a request
        perhaps. Raises ConfigError, and keeps what it had. A guard that does not override this
        leaves it to the next start.
        """
        return None
