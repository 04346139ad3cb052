"""FarHost: one host of a server, connected to for as long as it can be."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from tfaas_core.engine.base import WorkerContext
from tfaas_core.engine.in_front.dialling import FarDoor
from tfaas_core.engine.in_front.host_engine import HostEngine, Rooms
from tfaas_core.engine.shared import hello
from tfaas_core.engine.statuses import HostStatus
from tfaas_core.errors import TfaasError

_FIRST_RETRY_S, _LONGEST_RETRY_S = 0.1, 2.0

_log = logging.getLogger("tfaas.engine")


class FarHost:
    """``on_up`` is called whenever it was reached, ``on_leaving`` if it says that it will end.

    ``on_gone`` gets what ran models there, once it cannot be reached any more.
    """

    def __init__(
        self,
        context: WorkerContext,
        door: FarDoor,
        on_up: Callable[[FarHost], None],
        on_leaving: Callable[[FarHost], None],
        on_gone: Callable[[HostEngine], None],
        rooms: Rooms,
    ) -> None:
        self._context, self._door, self._rooms = context, door, rooms
        self._on_up, self._on_leaving, self._on_gone = on_up, on_leaving, on_gone
        self.engine: HostEngine | None = None
        """What runs models there, while it is reached."""
        self.is_leaving = False
        self.why = ""
        """Why it cannot be reached."""
        self.tried = asyncio.Event()
        """Set once it is known whether it can be reached."""
        self._task: asyncio.Task[None] | None = None

    @property
    def address(self) -> str:
        """As it is placed by."""
        return self._door.address

    @property
    def dead_after_s(self) -> float:
        """How long it may be silent."""
        return self._door.dead_after_s

    @property
    def takes(self) -> HostEngine | None:
        """The engine, if new requests may go there."""
        return None if self.engine is None or self.is_leaving else self.engine

    @property
    def status(self) -> HostStatus:
        """How it is."""
        engine = self.engine
        if engine is None:
            why = self.why or self._door.away("has not answered yet").message
            return HostStatus(self.address, "away", why)
        if silence := engine.pulse.silence:
            return HostStatus(self.address, "silent", self._door.away(silence).message)
        if self.is_leaving:
            return HostStatus(self.address, "leaving", f"host {self.address} is about to end")
        return HostStatus(self.address, "serves")

    def start(self) -> None:
        """Connects to it from now on."""
        self._task = asyncio.create_task(self._keep())

    async def close(self) -> None:
        """Hangs up."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def leave(self) -> None:
        """Hangs up, and tries whether there is another one soon."""
        if self.engine is not None:
            self.engine.ended.set()

    async def _keep(self) -> None:
        retry_s = _FIRST_RETRY_S
        while True:
            try:
                engine = await self._reached()
            except TfaasError as error:
                self._is_away(error.message)
                await asyncio.sleep(retry_s)
                retry_s = min(2 * retry_s, _LONGEST_RETRY_S)
                continue
            retry_s = _FIRST_RETRY_S
            try:
                await self._use(engine)
            finally:
                self.engine = None
                await engine.close()
            self._on_gone(engine)

    async def _reached(self) -> HostEngine:
        session = hello.new_nonce().hex()
        sock = await self._door.dial(hello.new_greeting("worker", session))
        told_of_end, rooms = self._told_of_end, self._rooms
        return HostEngine(self._context, self._door, session, sock, told_of_end, rooms)

    async def _use(self, engine: HostEngine) -> None:
        _log.info("host %s is reached", self.address)
        self.engine, self.is_leaving, self.why = engine, False, ""
        self.tried.set()
        self._on_up(self)
        await engine.ended.wait()
        if not self.is_leaving:
            self._is_away(self._door.away("is gone").message)

    def _is_away(self, why: str) -> None:
        if why != self.why:
            self.why = why
            _log.warning("%s; its models are served by others meanwhile", why)
        self.tried.set()

    def _told_of_end(self) -> None:
        _log.info("host %s is about to end", self.address)
        self.is_leaving = True
        self._on_leaving(self)
