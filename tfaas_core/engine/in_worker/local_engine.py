"""The built-in engine: models in processes of this machine, seen from an HTTP worker."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from tfaas_core.engine.base import (
    Candidate,
    Engine,
    Loaded,
    ServableStatus,
    Supervisor,
    WorkerContext,
)
from tfaas_core.engine.in_worker.accelerating import Accelerating
from tfaas_core.engine.in_worker.connection import ModelConnection
from tfaas_core.engine.in_worker.connector import Connector, WantedConnection, close_all
from tfaas_core.engine.in_worker.lines import Lines
from tfaas_core.engine.in_worker.open_connections import OpenConnections
from tfaas_core.engine.scheduling.rest import Rest
from tfaas_core.engine.shared.fleet_messages import Further, Joined, MoreWanted
from tfaas_core.engine.shared.looked_up import LookedUp
from tfaas_core.engine.shared.messages import (
    Absent,
    Acquire,
    AcquirePrepared,
    Adopt,
    Connected,
    Count,
    Counted,
    Discard,
    Done,
    Failed,
    Judge,
    Prepare,
    Release,
    Retire,
    ToWorker,
)
from tfaas_core.errors import CannotServe, ModelLost, StorageUnavailable, TfaasError, Unavailable
from tfaas_core.models.model import ModelVersion
from tfaas_core.system.links.link import Link
from tfaas_core.system.loop.tasks import Tasks
from tfaas_core.tensors import Array
from tfaas_core.visit import Timing

_log = logging.getLogger("tfaas.engine")


class LocalEngine(Engine):
    """Asks the pool for connections, keeps those to versions in use, and runs over them."""

    tells_runs = takes_levels = True

    def __init__(self, context: WorkerContext, own_pool: Supervisor | None = None) -> None:
        self._config = context.config
        self._worker = context.worker
        self._artifact = context.artifact
        self._own_pool = own_pool
        self._own_pool_socket: socket.socket | None = None
        sock = context.engine_socket
        if own_pool is not None:
            sock, self._own_pool_socket = socket.socketpair()
        assert sock is not None
        self._link = self._linked(sock)
        self._opening: dict[str, asyncio.Task[ModelConnection]] = {}
        self._lines = Lines(context.config.engine.max_queue_rows)
        self.beginning = OpenConnections(self._lines, context.config.engine.max_queue_rows)
        self._connections, self._open = self.beginning, self.beginning.by_key
        self._tasks = Tasks(_log)
        self._connector = Connector(context)
        self._accelerating = Accelerating(context, self._link)
        self._rest = Rest(lambda: any(each.is_overdue() for each in self._connections))

    def _linked(self, sock: socket.socket) -> Link[ToWorker]:
        return Link(sock, ToWorker, self._received, self._pool_lost, "the pool")

    async def start(self) -> None:
        theirs, self._own_pool_socket = self._own_pool_socket, None
        if self._own_pool is not None and theirs is not None:
            with theirs:
                await self._own_pool.start()
                self._own_pool.attach(self._worker, theirs.dup())
        self._rest.start()

    async def close(self) -> None:
        self._rest.stop()
        await self._tasks.cancel()
        await self._accelerating.close()
        for connection in self._connections:
            connection.close()
        self._pool_lost()
        if self._own_pool_socket is not None:
            self._own_pool_socket.close()
        if self._own_pool is not None:
            await self._own_pool.close()

    async def prepare(self, candidate: Candidate) -> Loaded:
        done: Done = await self._link.ask(partial(Prepare, candidate=candidate))
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
        ask = partial(AcquirePrepared, ticket=ticket, model=version.name, runtime=version.runtime)
        try:
            connection = await self._connection(WantedConnection(version), ask)
            assert connection is not None
            try:
                return await connection.submit(inputs, rows, whole, place=version.place)
            finally:
                connection.close()
                # A later connection counts its rows in the same place of the meter.
                await connection.closed()
        except ModelLost as error:
            # Raises ModelLost unless to try again would kill the next one, too.
            await self._link.ask(partial(Judge, ticket=ticket))
            raise CannotServe(error.message.removesuffix("; try again"), **error.details) from None

    async def adopt(self, ticket: int, version: ModelVersion) -> None:
        await self._link.ask(partial(Adopt, ticket=ticket, key=version.key))
        self._accelerating.begin(version)

    async def acceleration(self, version: ModelVersion) -> dict[str, object]:
        return await self._accelerating.told(version)

    async def servables(self) -> list[ServableStatus]:
        counted: Counted = await self._link.ask(Count)
        return counted.servables

    def discard(self, ticket: int) -> None:
        self._link.send(Discard(ticket))

    def run(
        self,
        version: ModelVersion,
        inputs: Sequence[Array],
        rows: int,
        whole: bool = False,
        timing: Timing | None = None,
        any_shape: bool = False,
    ) -> Awaitable[list[Array]]:
        if (connection := self._open.get(version.key)) is not None:
            return connection.submit(inputs, rows, whole, timing, any_shape, version.place)
        return self._run_when_open(version, inputs, rows, whole, timing, any_shape)

    async def ready(self, version: ModelVersion) -> bool:
        if version.key in self._open:
            return False
        self._lines.enter(version, 0)
        try:
            return (await asyncio.shield(self._opened(version))).new
        finally:
            self._lines.leave(version, 0)

    def uses(self, version: ModelVersion) -> bool:
        return version.key in self._open or version.key in self._opening

    def retire(self, version: ModelVersion, by: Callable[[str], object] = Retire) -> None:
        if self._lines.after(version.key, partial(self.retire, version, by)):
            return
        if (connection := self._connections.pop(version.key)) is not None:
            connection.release()
        self._link.send(by(version.key))

    def looked_up(self, model: str) -> None:
        self._link.send(LookedUp(model))

    # Opening a connection.

    async def _run_when_open(
        self,
        version: ModelVersion,
        inputs: Sequence[Array],
        rows: int,
        whole: bool,
        timing: Timing | None,
        any_shape: bool,
    ) -> list[Array]:
        self._lines.enter(version, rows)
        try:
            async with asyncio.timeout(self._config.server.request_timeout_s):
                connection = await asyncio.shield(self._opened(version))
            # By now there may be further processes, and this one may be on its way out.
            open_now = self._open.get(version.key, connection)
            answer = open_now.submit(inputs, rows, whole, timing, any_shape, version.place)
        except TimeoutError:
            raise Unavailable(
                f"model {version.name!r} is still loading; try again", model=version.name
            ) from None
        finally:
            self._lines.leave(version, rows)
        return await answer

    def _opened(self, version: ModelVersion) -> asyncio.Task[ModelConnection]:
        """The one attempt to open this connection that all who wait for it share."""
        key = version.key
        if (task := self._opening.get(key)) is None:
            task = self._opening[key] = asyncio.create_task(self._connect(version))
            task.add_done_callback(lambda done: self._opening.pop(key, None))
            # If everyone who waited has gone, nobody else looks at the error.
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return task

    async def _connect(self, version: ModelVersion) -> ModelConnection:
        wanted = WantedConnection(version, version.key)
        candidate = Candidate.stored(version)
        connection = await self._connection(wanted, partial(Acquire, candidate=candidate))
        # Only now: what is loaded is served without its storage, too.
        return connection or await self._load(version, wanted)

    async def _load(self, version: ModelVersion, wanted: WantedConnection) -> ModelConnection:
        path = await asyncio.to_thread(self._artifact, version)
        acquire = partial(Acquire, candidate=Candidate.stored(version, path))
        try:
            connection = await self._connection(wanted, acquire)
        except (CannotServe, StorageUnavailable):
            # Perhaps it was removed amid the load; then this says so.
            await asyncio.to_thread(self._artifact, version)
            raise
        self._accelerating.begin(version, path)
        assert connection is not None
        return connection

    async def _connection(
        self, wanted: WantedConnection, question: Callable[[int], object]
    ) -> ModelConnection | None:
        """A connection to what the pool has loaded, or loads; None if it lacks the path."""
        connection: ModelConnection | Absent = await self._link.ask(question, about=wanted)
        if isinstance(connection, Absent):
            return None
        await self._connector.begin(connection)
        return connection

    def _connected(self, message: Connected, descriptors: list[int]) -> None:
        """Makes the connection known at once, so that a Release right behind finds it."""
        wanted: WantedConnection | None = self._link.about(message.call)
        if wanted is None:
            return close_all(descriptors)
        key, version, ticket = wanted.key, wanted.version, message.ticket
        forget = partial(self._connections.forget, key, ticket)
        try:
            connection = self._connector.connection(version, descriptors, forget, message.new)
        except Unavailable as error:
            return self._link.fail(message.call, error)
        self._connections.add(key, version, ticket, connection)
        self._link.answer(message.call, connection)

    def _joined(self, message: Joined, descriptors: list[int]) -> None:
        """A version has a further process, which is asked, too, if the version is in use."""
        key, ticket = message.key, message.ticket
        version = self._connections.version(key)
        if version is None or self._connections.knows(ticket):
            return close_all(descriptors)
        forget = partial(self._connections.forget, key, ticket)
        try:
            connection = self._connector.connection(version, descriptors, forget)
        except Unavailable:  # it is logged; the others answer
            return
        self._connections.join(key, ticket, connection)
        self._tasks.spawn(self._connector.begin(connection))

    async def _say_where(self, key: str) -> None:
        """Tells the pool where a version is, for a further process."""
        if (version := self._connections.version(key)) is None:
            return
        try:
            path = await asyncio.to_thread(self._artifact, version)
        except TfaasError as error:  # what is loaded answers on
            _log.info("%s gets no further process: %s", version.reference, error.message)
        else:
            self._link.send(Further(Candidate.stored(version, path)))

    # Talking to the pool.

    def _received(self, message: ToWorker, descriptors: list[int]) -> None:
        match message:
            case Connected():
                self._connected(message, descriptors)
            case Joined():
                self._joined(message, descriptors)
            case MoreWanted():
                self._tasks.spawn(self._say_where(message.key))
            case Release():
                self._connections.release(message.ticket)
            case Failed():
                self._link.fail(message.call, message.failure.error())

    def _pool_lost(self) -> None:
        self._link.end(lambda: Unavailable("the server is stopping"))
