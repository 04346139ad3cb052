"""DriverProcess: one life of the process that speaks with Ray, as the parent sees it."""

from __future__ import annotations

import asyncio
import multiprocessing
import socket
from collections.abc import Callable
from contextlib import suppress

from tfaas_backends.engines.ray import driver
from tfaas_backends.engines.ray.messages import Failed, Hosts
from tfaas_backends.engines.ray.table import RayTable
from tfaas_core.system.links.link import Link
from tfaas_core.system.lives.ending import Ending
from tfaas_core.system.lives.signals import stop_signals_blocked
from tfaas_core.system.lives.stopped import LOOK_EVERY_S, Stopped

_END_LIMIT_S = 30.0


class DriverProcess:
    """Started when it is made, in the event loop. Raises OSError if it cannot be.

    It ends if its parent does, even by SIGKILL, and whatever it has started with it.
    """

    def __init__(
        self,
        table: RayTable,
        packed: bytes,
        heard: Callable[[Hosts | Failed], None],
    ) -> None:
        """``packed``: the configuration. ``heard`` gets all that the process says."""
        ours, theirs = socket.socketpair()
        with theirs:
            arguments = theirs, table, packed
            context = multiprocessing.get_context("spawn")
            self._process = context.Process(target=driver.main, args=arguments)
            try:
                with stop_signals_blocked():
                    self._process.start()
            except BaseException:
                ours.close()
                raise
        self._link: Link[Hosts | Failed] = Link(
            ours, Hosts | Failed, lambda message, _fds: heard(message), lambda: None, "Ray's driver"
        )
        self._over = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._process.sentinel, self._died)

    @property
    def pid(self) -> int | None:
        """Of the process, while it lives."""
        return None if self._over.is_set() else self._process.pid

    async def ended(self) -> Ending:
        """Returns how it has ended. It is killed if somebody has stopped it (SIGSTOP)."""
        stopped = Stopped()
        while (pid := self.pid) is not None:
            if stopped.for_long(pid):
                self._process.kill()
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._over.wait()
        return Ending(self._process.exitcode)

    async def end(self) -> None:
        """Has it end, and with it a Ray of its own."""
        self._link.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(_END_LIMIT_S):
                await self._over.wait()
        if not self._over.is_set():
            self._process.kill()
            await self._over.wait()

    def _died(self) -> None:
        asyncio.get_running_loop().remove_reader(self._process.sentinel)
        self._link.receive()  # what it said last
        self._link.close()
        self._process.join()
        self._over.set()
