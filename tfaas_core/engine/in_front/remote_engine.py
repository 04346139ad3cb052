"""The engine ``kind = "remote"``: models on other hosts, seen from an HTTP worker."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import msgspec

from tfaas_core.engine.base import Candidate, Engine, Loaded, WorkerContext
from tfaas_core.engine.in_front.dialling import FarDoor, HostAwayError, HostSilentError
from tfaas_core.engine.in_front.far_beginning import FarBeginning, FarRun
from tfaas_core.engine.in_front.far_host import FarHost
from tfaas_core.engine.in_front.homes import Homes
from tfaas_core.engine.in_front.host_engine import HostEngine
from tfaas_core.engine.in_front.moves import Moves
from tfaas_core.engine.shared.calm import CALM_S
from tfaas_core.engine.shared.door_tls import CallerTls
from tfaas_core.engine.statuses import HostStatus, ServableStatus
from tfaas_core.errors import DeadlinePassed, ModelLost
from tfaas_core.models.model import ModelVersion
from tfaas_core.system.loop.tasks import Tasks
from tfaas_core.tensors import Array
from tfaas_core.visit import Timing

_log = logging.getLogger("tfaas.engine")

T = TypeVar("T")


class RemoteEngine(Engine):
    """Sends each version's requests straight to its process on the host that serves it.

    A request that has not reached a process goes to the next host if its host is gone. One that
    was lost with a process is run once more if its rows may share a run, since then no run leaves
    a trace; others get ModelLost.

    ``doors`` are those of the hosts at first; ``call_at`` changes them. ``calm_s``: see Homes.
    """

    tells_runs = takes_levels = True

    def __init__(
        self, context: WorkerContext, doors: Sequence[FarDoor] = (), calm_s: float = CALM_S
    ) -> None:
        self._context = context
        self._timeout_s = context.config.server.request_timeout_s
        self._is_started = False
        self._hosts: list[FarHost] = []
        self._left_out: list[FarHost] = []
        self._tls: set[CallerTls] = set()
        self._tasks = Tasks(_log)
        self._homes = Homes(calm_s, lambda version: self._moves.begin(version))
        self._moves = Moves(self._homes, self._tasks)
        self._prepared: dict[int, tuple[HostEngine, int]] = {}
        self._tickets = itertools.count(1)
        self.beginning = FarBeginning(
            self._homes, lambda run: self._tasks.spawn(self._run_again(run))
        )
        self.call_at(doors)

    async def start(self) -> None:
        self._is_started = True
        for host in self._hosts:
            host.start()
        with suppress(TimeoutError):
            async with asyncio.timeout(max((host.dead_after_s for host in self._hosts), default=0)):
                await asyncio.gather(*[host.tried.wait() for host in self._hosts])

    async def close(self) -> None:
        await self._tasks.cancel()
        await asyncio.gather(*[host.close() for host in [*self._hosts, *self._left_out]])
        for tls in self._tls:
            tls.close()

    def call_at(self, doors: Sequence[FarDoor]) -> None:
        """These are the hosts from now on; those at the same addresses as before stay.

        The others go, once all models that are used there are ready elsewhere.
        """
        if [door.address for door in doors] == [host.address for host in self._hosts]:
            return  # the order of hosts for each model is known
        before = {host.address: host for host in self._hosts}
        self._hosts = [before.get(door.address) or self._host(door) for door in doors]
        self._homes.place_on(self._hosts)
        for host in set(before.values()).difference(self._hosts):
            self._left_out.append(host)
            self._tasks.spawn(self._leave_out(host))

    def spread(self, replicas: Mapping[str, int]) -> None:
        """So many hosts these models are to have from now on, and all others one.

        Each is loaded there before its requests go there. A version that keeps state has one.
        """
        for version in self._homes.spread(replicas):
            self._moves.begin(version)

    def _host(self, door: FarDoor) -> FarHost:
        heard = self._came, self._leaves, self._gone
        host = FarHost(self._context, door, *heard, self._homes)
        if door.tls is not None:
            self._tls.add(door.tls)
        if self._is_started:
            host.start()
        return host

    # Uploads: tried on the host that will serve them.

    async def prepare(self, candidate: Candidate) -> Loaded:
        async def ask(engine: HostEngine) -> Loaded:
            loaded = await engine.prepare(candidate)
            ticket = next(self._tickets)
            self._prepared[ticket] = engine, loaded.ticket
            return msgspec.structs.replace(loaded, ticket=ticket)

        return await self._somewhere(lambda: self._homes.of_model(candidate.name), ask)

    async def run_prepared(
        self,
        ticket: int,
        version: ModelVersion,
        inputs: Sequence[Array],
        rows: int,
        whole: bool = False,
    ) -> list[Array]:
        engine, theirs = self._prepared[ticket]
        return await engine.run_prepared(theirs, version, inputs, rows, whole)

    async def adopt(self, ticket: int, version: ModelVersion) -> None:
        engine, theirs = self._prepared.pop(ticket)
        with suppress(HostAwayError):  # the first request loads it on another host
            await engine.adopt(theirs, version)
            self._homes.put(version, [engine])

    def discard(self, ticket: int) -> None:
        engine, theirs = self._prepared.pop(ticket)
        engine.discard(theirs)

    # Requests.

    def run(
        self,
        version: ModelVersion,
        inputs: Sequence[Array],
        rows: int,
        whole: bool = False,
        timing: Timing | None = None,
        any_shape: bool = False,
    ) -> Awaitable[list[Array]]:
        def ask(engine: HostEngine) -> Awaitable[list[Array]]:
            return engine.run(version, inputs, rows, whole, timing, any_shape)

        return self._run(version, ask)

    async def _run(
        self, version: ModelVersion, ask: Callable[[HostEngine], Awaitable[list[Array]]]
    ) -> list[Array]:
        begin_s = time.monotonic()
        try:
            return await ask(self._homes.of(version))
        except HostAwayError:
            pass
        except ModelLost:
            if not version.mergeable:
                raise
        return await self._elsewhere(version, ask, begin_s)

    async def _run_again(self, run: FarRun) -> None:
        """What was begun, and lost with its process."""

        def ask(engine: HostEngine) -> Awaitable[list[Array]]:
            return engine.run(run.version, run.inputs, run.rows, False, run.timing)

        try:
            answer = await self._elsewhere(run.version, ask, run.begin_s)
        except Exception as error:
            if not run.done():
                run.awaiting.set_exception(error)
        else:
            if not run.done():
                run.set_result(answer)

    async def _elsewhere(
        self,
        version: ModelVersion,
        ask: Callable[[HostEngine], Awaitable[list[Array]]],
        begin_s: float,
    ) -> list[Array]:
        """Asks where the version is by now, in what is left of the time since ``begin_s``."""
        left_s = begin_s + self._timeout_s - time.monotonic()
        try:
            async with asyncio.timeout(left_s):
                return await self._somewhere(lambda: self._homes.of(version), ask)
        except TimeoutError:
            raise DeadlinePassed(
                f"no host answered for model {version.name!r} within {self._timeout_s:g} s "
                "(server.request_timeout_s)",
                model=version.name,
            ) from None

    async def ready(self, version: ModelVersion) -> bool:
        is_new = await self._somewhere(
            lambda: self._homes.of(version), lambda engine: engine.ready(version)
        )
        if self._homes.spreads(version):
            await self._moves.move([version])
        return is_new

    def uses(self, version: ModelVersion) -> bool:
        return any(engine.uses(version) for engine in self._engines())

    async def servables(self) -> list[ServableStatus]:
        told = await asyncio.gather(*[_told_by(each) for each in self._engines()])
        return sorted(itertools.chain(*told), key=lambda status: status.model)

    def hosts(self) -> list[HostStatus]:
        return [host.status for host in [*self._hosts, *self._left_out]]

    async def acceleration(self, version: ModelVersion) -> dict[str, Any]:
        engine = self._homes.known(version)
        return {} if engine is None else await engine.acceleration(version)

    def retire(self, version: ModelVersion) -> None:
        self._homes.forget(version)
        for engine in self._engines():
            engine.retire(version)

    def looked_up(self, model: str) -> None:
        for engine in self._engines():
            engine.looked_up(model)

    def _engines(self) -> list[HostEngine]:
        hosts = [*self._hosts, *self._left_out]
        return [host.engine for host in hosts if host.engine is not None]

    async def _somewhere(
        self, choose: Callable[[], HostEngine], ask: Callable[[HostEngine], Awaitable[T]]
    ) -> T:
        """Asks one host after the other, as long as they are away, or full, before they have it."""
        for _host in self._hosts:
            engine = choose()
            try:
                return await ask(engine)
            except HostSilentError:
                raise
            except HostAwayError:
                continue
        return await ask(choose())

    # Hosts that come and go.

    def _came(self, host: FarHost) -> None:
        self._tasks.spawn(self._take_back())

    async def _take_back(self) -> None:
        await self._moves.move(self._homes.wrongly_placed())
        for host in [*self._hosts, *self._left_out]:
            if host.is_leaving:  # perhaps its models had nowhere to go before
                self._tasks.spawn(self._leave(host))

    def _leaves(self, host: FarHost) -> None:
        self._tasks.spawn(self._leave(host))

    def _gone(self, engine: HostEngine) -> None:
        for version in self._homes.spread_to(engine):
            self._moves.begin(version)

    async def _leave(self, host: FarHost) -> None:
        """Goes, once all models that are used there are ready elsewhere."""
        engine = host.engine
        if engine is None:
            return
        await self._moves.move(self._homes.at(engine))
        while any(there is engine for there, _ticket in self._prepared.values()):
            await asyncio.sleep(0.1)
        await self._moves.move(self._homes.at(engine))  # uploads that were stored meanwhile
        if not self._homes.at(engine):
            await engine.finished()
            if host.engine is engine:  # it may have come back
                host.leave()

    async def _leave_out(self, host: FarHost) -> None:
        """Hangs up for good, once it has left, or the host is gone."""
        host.is_leaving = True
        if (engine := host.engine) is not None:
            await self._leave(host)
            await engine.ended.wait()
        await host.close()
        self._left_out.remove(host)


async def _told_by(engine: HostEngine) -> list[ServableStatus]:
    with suppress(HostAwayError):
        return await engine.servables()
    return []
