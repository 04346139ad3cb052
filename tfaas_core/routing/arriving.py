"""Arriving: a request as the seam gets it."""

from __future__ import annotations

from typing import Protocol

from tfaas_core.route import ClientAddress, Request


class Arriving(Request, Protocol):
    """A request whose head is there, and whose body may still be on its way."""

    client: ClientAddress
    """Until the seam has looked, the peer of the connection."""

    @property
    def begin_s(self) -> float:
        """When its head was there, by ``time.monotonic``."""
        ...

    @property
    def is_arriving(self) -> bool:
        """Whether ``body`` is not there yet."""
        ...

    async def receive(self) -> None:
        """Waits until ``body`` is there, whole; raises TooLarge, BadBody and HttpRefused."""
        ...
