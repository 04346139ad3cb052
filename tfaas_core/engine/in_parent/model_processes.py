"""Model processes, as the parent sees them: started, heard, lost."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Hashable
from functools import partial
from typing import TypeAlias

import msgspec

from tfaas_core.engine.base import Candidate
from tfaas_core.engine.in_parent.starter import ProcessHandle, Starter
from tfaas_core.engine.shared.messages import FromProcess, LoadDone
from tfaas_core.engine.shared.mode import USUAL
from tfaas_core.system.links.link import Link
from tfaas_core.system.lives.ending import Ending

HowItEnded: TypeAlias = Callable[[], Awaitable[Ending]]
"""Finds it out."""


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
    """Starts a process for each servable, or one for all that may share it, and tells what becomes
    of them.

    ``on_message`` gets what a process says of what it holds. ``on_lost`` is called at once when
    one is gone, with what finds out how it ended.
    """

    def __init__(
        self,
        starter: Starter,
        one_process: bool,
        on_message: Callable[[FromProcess], None],
        on_lost: Callable[[ModelProcess, HowItEnded], None],
    ) -> None:
        self._starter = starter
        self._one_process = one_process
        self._on_message = on_message
        self._on_lost = on_lost
        self._shared: dict[Hashable, asyncio.Task[ModelProcess]] = {}
        self._running: list[ModelProcess] = []

    async def take(self, ticket: int, candidate: Candidate, mode: str = USUAL) -> ModelProcess:
        """A process to load this servable in, in a mode of its runtime. Raises Unavailable."""
        runtime = candidate.runtime
        starting = (
            self._share(runtime)
            if self._one_process
            else self._start(runtime, candidate.path, mode)
        )
        process = await starting
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

    def abandon(self, process: ModelProcess) -> None:
        """One that does not even die, since it is deep in the kernel, is as good as lost."""
        process.link.close()
        self._lost(process)

    def close(self) -> None:
        """Ends all of them."""
        for process in list(self._running):
            process.link.close()
            # One that is loading would not notice.
            process.kill()
            self._forget(process)
        self._starter.close()

    async def _share(self, runtime: str) -> ModelProcess:
        group = self._starter.group(runtime)
        task = self._shared.get(group)
        if task is None:
            task = self._shared[group] = asyncio.create_task(self._start(runtime))
        try:
            return await asyncio.shield(task)
        except Exception:  # Unavailable, or too many open files
            if self._shared.get(group) is task:
                del self._shared[group]
            raise

    async def _start(self, runtime: str, artifact: str = "", mode: str = USUAL) -> ModelProcess:
        ours, theirs = socket.socketpair()
        peer = f"a process for models of the runtime {runtime!r}"
        process = ModelProcess(
            Link(
                ours,
                FromProcess,
                lambda message, came: self._heard(process, message, came),
                lambda: self._lost(process),
                peer,
            )
        )
        self._running.append(process)
        try:
            with theirs:
                process.handle = await self._starter.start(
                    theirs, runtime, artifact=artifact, mode=mode
                )
        except BaseException:
            process.link.close()
            self._forget(process)
            raise
        return process

    def _heard(self, process: ModelProcess, message: FromProcess, descriptors: list[int]) -> None:
        # None is wanted; a model's process may send some all the same.
        for descriptor in descriptors:
            os.close(descriptor)
        ticket = message.loaded.ticket if isinstance(message, LoadDone) else message.ticket
        # It may say what it likes of others, too.
        if ticket in process.tickets:
            self._on_message(message)

    def _lost(self, process: ModelProcess) -> None:
        handle = process.handle
        self._forget(process)
        self._on_lost(process, partial(_how_it_ended, handle))

    def _forget(self, process: ModelProcess) -> None:
        # The link's callbacks refer to the process: its descriptors would wait for the collector.
        process.handle = None
        if process in self._running:
            self._running.remove(process)
        for group, task in list(self._shared.items()):
            if not task.done() or task.cancelled():
                continue
            if task.exception() is not None or task.result() is process:
                del self._shared[group]


async def _how_it_ended(handle: ProcessHandle | None) -> Ending:
    return Ending() if handle is None else await handle.how_it_ended()
