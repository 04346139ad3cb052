"""HostEngine: the engine of an HTTP worker, as far as one other host goes."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import msgspec

from tfaas_core.engine.base import Candidate, Loaded, WorkerContext
from tfaas_core.engine.in_front.dialling import (
    FarDoor,
    HostAwayError,
    HostFullError,
    HostSilentError,
)
from tfaas_core.engine.in_front.pulse import Pulse
from tfaas_core.engine.in_worker.connection import ModelConnection
from tfaas_core.engine.in_worker.connector import WantedConnection
from tfaas_core.engine.in_worker.local_engine import LocalEngine
from tfaas_core.engine.in_worker.open_connections import OpenConnections
from tfaas_core.engine.shared import hello
from tfaas_core.engine.shared.far_messages import (
    AcquireStored,
    AskRoom,
    FurtherStored,
    Leaving,
    LetGo,
    PrepareSent,
)
from tfaas_core.engine.shared.fleet_messages import Joined
from tfaas_core.engine.shared.messages import (
    Absent,
    Adopt,
    Connected,
    Done,
    Release,
    Retire,
    ToWorker,
)
from tfaas_core.engine.shared.meter import Meter
from tfaas_core.engine.shared.sent_files import in_thread, send_files
from tfaas_core.engine.statuses import ServableStatus
from tfaas_core.models.model import ModelVersion
from tfaas_core.system.links.link import FarLink, Link
from tfaas_core.tensors import Array

_FINISH_LOOK_S = 0.05

_log = logging.getLogger("tfaas.engine")


class Rooms(Protocol):
    """Who knows which hosts have no room for which models."""

    def is_full(self, name: str, engine: HostEngine) -> bool:
        """Whether it has said so of the model."""
        ...

    def has_to_make_room(self, name: str, engine: HostEngine) -> bool:
        """Whether it has said so, and no other host has room, either."""
        ...

    def has_no_room(self, name: str, key: str, engine: HostEngine) -> None:
        """It has said so, and the version of this key is to go elsewhere; empty: an upload."""
        ...


class HostEngine(LocalEngine):
    """Talks to the pool of another host over ``sock``, and to its models over further connections.

    From the link's end on, everything raises HostAwayError. ``on_leaving`` is called if the host
    says that it is about to end. What it has no room for raises HostFullError: see ``rooms``.
    """

    beginning: OpenConnections

    def __init__(
        self,
        context: WorkerContext,
        door: FarDoor,
        session: str,
        sock: socket.socket,
        on_leaving: Callable[[], None],
        rooms: Rooms,
    ) -> None:
        self._door, self._session, self._on_leaving = door, session, on_leaving
        self._rooms = rooms
        self.ended = asyncio.Event()
        """Set once the host is gone."""
        self._context = context
        self._dialling: dict[int, bool] = {}
        self._stateless: set[str] = set()
        patience_s = context.config.server.request_timeout_s
        self.pulse = Pulse(door, super().servables, patience_s)
        """Whether it answers at all."""
        super().__init__(msgspec.structs.replace(context, engine_socket=sock))

    @property
    def address(self) -> str:
        """Where the host is."""
        return self._door.address

    def _linked(self, sock: socket.socket) -> Link[ToWorker]:
        return FarLink(sock, ToWorker | Leaving, self._received, self._pool_lost, self.address)

    async def start(self) -> None:
        """Has nothing to start: no model runs on this machine's cores."""

    async def prepare(self, candidate: Candidate) -> Loaded:
        preparing = asyncio.ensure_future(self._prepared(candidate))
        try:
            return await self.pulse.answered(preparing)
        except HostSilentError:
            preparing.add_done_callback(self._discard_late)
            raise

    def _discard_late(self, prepared: asyncio.Future[Loaded]) -> None:
        if not prepared.cancelled() and prepared.exception() is None:
            self.discard(prepared.result().ticket)

    async def _prepared(self, candidate: Candidate) -> Loaded:
        await self._check_room(candidate.name)
        sent = hello.new_nonce().hex()
        sock = await self._door.dial(self._greeting("upload", key=sent))
        with sock:
            try:
                await in_thread(sock, send_files, Path(candidate.path))
            except OSError as error:
                raise self._door.away(f"hung up amid the upload: {error}") from error
        there = msgspec.structs.replace(candidate, path="")
        done: Done = await self._link.ask(partial(PrepareSent, candidate=there, sent=sent))
        assert done.loaded is not None
        return done.loaded

    async def run_prepared(
        self,
        ticket: int,
        version: ModelVersion,
        inputs: Sequence[Array],
        rows: int,
        whole: bool = False,
    ) -> list[Array]:
        running = super().run_prepared(ticket, version, inputs, rows, whole)
        return await self.pulse.answered(asyncio.ensure_future(running))

    async def adopt(self, ticket: int, version: ModelVersion) -> None:
        # Nothing is accelerated there: that takes files of this machine.
        ask = partial(Adopt, ticket=ticket, key=version.key)
        await self.pulse.answered(asyncio.ensure_future(self._link.ask(ask)))

    async def ready(self, version: ModelVersion) -> bool:
        return await self.pulse.answered(asyncio.ensure_future(super().ready(version)))

    async def acceleration(self, version: ModelVersion) -> dict[str, Any]:
        # What is wanted is said to the host.
        return await self._accelerating.how_told(version)

    async def servables(self) -> list[ServableStatus]:
        """Raises HostAwayError, too, if the host does not tell within ``dead_after_s``."""
        told = await self.pulse.servables()
        return [msgspec.structs.replace(each, host=self.address) for each in told]

    def rows(self, key: str) -> int | None:
        """Rows of this worker in flight to a version there; None: it is not connected to it."""
        to = self._open.get(key)
        return None if to is None else to.rows()

    def may_spread(self, key: str) -> bool:
        """Whether a version is known to have no state, so that others may serve it, too."""
        return key in self._stateless

    def retire(self, version: ModelVersion, by: Callable[[str], object] = Retire) -> None:
        self._stateless.discard(version.key)
        super().retire(version, by)

    def let_go(self, version: ModelVersion) -> None:
        """As ``retire``, as far as this worker goes: it stays loaded while others use it."""
        self.retire(version, LetGo)

    async def close(self) -> None:
        await super().close()
        await self.pulse.finished()

    async def finished(self) -> None:
        """Returns once no connection to a model is open."""
        while any(True for _connection in self._connections):
            await asyncio.sleep(_FINISH_LOOK_S)

    async def _load(self, version: ModelVersion, wanted: WantedConnection) -> ModelConnection:
        await self._check_room(version.name, version.key, version.size_bytes)
        connection = await self._connection(wanted, partial(AcquireStored, version=version.chosen))
        assert connection is not None
        return connection

    async def _check_room(self, name: str, key: str = "", size_bytes: int = 0) -> None:
        if self._rooms.has_to_make_room(name, self):
            return
        ask = partial(AskRoom, name=name, key=key, size_bytes=size_bytes)
        if self._rooms.is_full(name, self) or isinstance(await self._link.ask(ask), Absent):
            self._rooms.has_no_room(name, key, self)
            why = f"has no room for model {name!r} beside those that are used; try again"
            raise HostFullError(self._door.away(why).message, model=name)

    async def _say_where(self, key: str) -> None:
        if (version := self._connections.version(key)) is not None:
            self._link.send(FurtherStored(version.chosen))

    def _received(self, message: ToWorker | Leaving, descriptors: list[int]) -> None:
        if isinstance(message, Leaving):
            self._on_leaving()
        elif isinstance(message, Release) and message.ticket in self._dialling:
            self._dialling[message.ticket] = True
        else:
            super()._received(message, descriptors)

    def _connected(self, message: Connected, descriptors: list[int]) -> None:
        wanted: WantedConnection | None = self._link.about(message.call)
        if wanted is not None:
            # At once, so that a Release right behind finds it.
            self._dialling[message.ticket] = False
            if not message.stateful:
                self._stateless.add(wanted.key)
            self._tasks.spawn(self._dialled(message, wanted.key))

    def _joined(self, message: Joined, descriptors: list[int]) -> None:
        ticket, version = message.ticket, self._connections.version(message.key)
        if version is None or ticket in self._dialling or self._connections.knows(ticket):
            return
        self._dialling[ticket] = False
        self._tasks.spawn(self._dialled(message, message.key))

    async def _dialled(self, message: Connected | Joined, key: str) -> None:
        ticket = message.ticket
        try:
            sock = await self._door.dial(self._greeting("model", ticket, key))
            # Nobody else of this machine counts there: the host counts for all.
            with sock, closing(Meter.create(self._context.workers)) as meter:
                counts = os.dup(meter.descriptor)
                descriptors = [sock.detach(), counts]
        except (HostAwayError, OSError) as error:
            _log.info("no connection to a model of host %s: %s", self.address, error)
            if isinstance(message, Connected):
                self._link.fail(message.call, self._door.away(f"lost the model: {error}"))
            return
        finally:
            is_released = self._dialling.pop(ticket, False)
        if isinstance(message, Connected):
            super()._connected(message, descriptors)
        else:
            super()._joined(message, descriptors)
        if is_released:
            self._connections.release(ticket)

    def _greeting(self, purpose: hello.Purpose, ticket: int = 0, key: str = "") -> hello.Greeting:
        timeout_s = self._config.server.request_timeout_s
        return hello.new_greeting(purpose, self._session, ticket, key, timeout_s)

    def _pool_lost(self) -> None:
        self._link.end(lambda: self._door.away("is gone; try again"))
        self.ended.set()
