"""Pulse: whether a host that is connected answers at all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from tfaas_core.engine.in_front.dialling import FarDoor, HostAwayError, HostSilentError
from tfaas_core.engine.statuses import ServableStatus

T = TypeVar("T")


class Pulse:
    """``ask`` asks the host what is loaded there; all that want to know that share an answer.

    ``patience_s``: so long a host may answer nothing while it does something else; it is at least
    what ``servables`` waits.
    """

    def __init__(
        self,
        door: FarDoor,
        ask: Callable[[], Coroutine[Any, Any, list[ServableStatus]]],
        patience_s: float,
    ) -> None:
        self._door, self._ask = door, ask
        self._patience_s = max(patience_s, door.dead_after_s)
        self._asking: asyncio.Task[list[ServableStatus]] | None = None
        self._until_s = 0.0

    async def servables(self) -> list[ServableStatus]:
        """Raises HostSilentError if the host does not answer within ``dead_after_s``."""
        asking = self._asked()
        try:
            async with asyncio.timeout_at(self._until_s):
                return await asyncio.shield(asking)
        except TimeoutError:
            raise HostSilentError(self._door.away(self.silence).message) from None

    @property
    def silence(self) -> str:
        """What to say of a host that was asked, and has not answered in time; else nothing."""
        is_late = asyncio.get_running_loop().time() >= self._until_s
        if self._asking is None or self._asking.done() or not is_late:
            return ""
        limit = f"{self._door.dead_after_s:g} s (engine.remote.dead_after_s)"
        return f"is connected, and has not answered within {limit}"

    async def answered(self, asked: asyncio.Future[T]) -> T:
        """What it gives. Raises HostSilentError if the host answers nothing meanwhile for long."""
        asked.add_done_callback(_is_seen)
        try:
            while not (await asyncio.wait([asked], timeout=self._door.dead_after_s))[0]:
                await self._answer_beside(asked)
        except asyncio.CancelledError:
            asked.cancel()
            raise
        return asked.result()

    async def _answer_beside(self, asked: asyncio.Future[Any]) -> None:
        """Returns once the host has answered anything, an error, say, or ``asked`` is done."""
        asking = self._asked()
        either = {asked, asking}
        done, _pending = await asyncio.wait(
            either, timeout=self._patience_s, return_when=asyncio.FIRST_COMPLETED
        )
        if not done:
            why = f"is connected, and has answered nothing for {self._patience_s:g} s; try again"
            raise HostSilentError(self._door.away(why).message)
        if not asked.done() and isinstance(error := asking.exception(), HostAwayError):
            raise error

    async def finished(self) -> None:
        """Returns once nothing is asked any more, after the host has gone: that answers all."""
        if self._asking is not None:
            await asyncio.wait([self._asking])

    def _asked(self) -> asyncio.Task[list[ServableStatus]]:
        loop = asyncio.get_running_loop()
        if self._asking is None or self._asking.done():
            self._asking = loop.create_task(self._ask())
            self._asking.add_done_callback(_is_seen)
            self._until_s = loop.time() + self._door.dead_after_s
        return self._asking


def _is_seen(done: asyncio.Future[Any]) -> None:
    """Perhaps nobody waits for it any more: then nobody else looks at its error."""
    if not done.cancelled():
        done.exception()
