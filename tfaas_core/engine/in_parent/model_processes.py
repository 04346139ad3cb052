"""Model processes, as the parent sees them: started, heard, lost."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeAlias

import msgspec

from tfaas_core.engine.in_parent.starter import ProcessHandle, Starter
from tfaas_core.engine.shared.messages import FromProcess
from tfaas_core.errors import TfaasError
from tfaas_core.system.link import Link

Ending: TypeAlias = Callable[[], Awaitable[str]]
"""Finds out how a process ended."""


class ModelProcess(msgspec.Struct):
    """A model process and the tickets of what it holds, loading ones included."""

    link: Link[FromProcess]
    handle: ProcessHandle | None = None
    tickets: set[int] = msgspec.field(default_factory=set)

    @property
    def can_be_killed(self) -> bool:
        """Whether ``kill`` does anything."""
        return self.handle is not None and self.handle.can_be_killed

    def kill(self) -> None:
        """Ends it at once; that it is lost is told as for any other death."""
        if self.handle is not None:
            self.handle.kill()


class ModelProcesses:
    """Starts a process for each servable, or one for all, and tells what becomes of them.

    ``on_message`` gets what processes say. ``on_lost`` is called at once when one is gone, with
    what finds out how it ended.
    """

    def __init__(
        self,
        starter: Starter,
        one_process: bool,
        on_message: Callable[[FromProcess], None],
        on_lost: Callable[[ModelProcess, Ending], None],
    ) -> None:
        self._starter = starter
        self._one_process = one_process
        self._on_message = on_message
        self._on_lost = on_lost
        self._shared: asyncio.Task[ModelProcess] | None = None
        self._running: list[ModelProcess] = []

    async def take(self, ticket: int) -> ModelProcess:
        """A process to load this servable in. Raises Unavailable."""
        process = await (self._share() if self._one_process else self._start())
        process.tickets.add(ticket)
        return process

    def give_back(self, process: ModelProcess, ticket: int) -> None:
        """The servable is not wanted in the process any more; one that holds nothing else goes.

        It is killed, because one that computes would not notice that nobody listens.
        """
        process.tickets.discard(ticket)
        if not process.tickets and not self._one_process:
            process.link.close()
            process.kill()
            self._forget(process)

    def close(self) -> None:
        """Ends all of them."""
        for process in list(self._running):
            process.link.close()
            # One that is loading would not notice.
            process.kill()
            self._forget(process)
        self._starter.close()

    async def _share(self) -> ModelProcess:
        if self._shared is None:
            self._shared = asyncio.create_task(self._start())
        try:
            return await asyncio.shield(self._shared)
        except TfaasError:
            self._shared = None
            raise

    async def _start(self) -> ModelProcess:
        ours, theirs = socket.socketpair()

        def received(message: FromProcess, _descriptors: list[int]) -> None:
            self._on_message(message)

        process = ModelProcess(Link(ours, FromProcess, received, lambda: self._lost(process)))
        self._running.append(process)
        try:
            with theirs:
                process.handle = await self._starter.start(theirs)
        except BaseException:
            process.link.close()
            self._forget(process)
            raise
        return process

    def _lost(self, process: ModelProcess) -> None:
        handle = process.handle
        self._forget(process)
        self._on_lost(process, partial(_ending, handle))

    def _forget(self, process: ModelProcess) -> None:
        # The link's callbacks refer to the process: its descriptors would wait for the collector.
        process.handle = None
        if process in self._running:
            self._running.remove(process)
        shared = self._shared
        if shared is None or not shared.done() or shared.cancelled():
            return
        if shared.exception() is not None or shared.result() is process:
            self._shared = None


async def _ending(handle: ProcessHandle | None) -> str:
    return "" if handle is None else await handle.how_it_ended()
