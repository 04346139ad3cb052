"""The pool: starts, warms, watches, replaces and stops model processes. It lives in the parent."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from tfaas_core.engine.base import Supervisor
from tfaas_core.engine.in_parent.accelerating.accelerations import Accelerations
from tfaas_core.engine.in_parent.far_use import FarUse
from tfaas_core.engine.in_parent.fleet import Fleet
from tfaas_core.engine.in_parent.hand_over import HandOver
from tfaas_core.engine.in_parent.replaced_versions import ReplacedVersions
from tfaas_core.engine.in_parent.seat import Seat
from tfaas_core.engine.in_parent.seats import Seats
from tfaas_core.engine.in_parent.settings import PoolSettings
from tfaas_core.engine.in_parent.shortage import short_of
from tfaas_core.engine.in_parent.starter import Starter
from tfaas_core.engine.in_parent.statuses import Statuses
from tfaas_core.engine.shared.acceleration_messages import Accelerate, AskAcceleration, Runs
from tfaas_core.engine.shared.far_messages import Far
from tfaas_core.engine.shared.fleet_messages import Further
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
    Failure,
    Judge,
    Prepare,
    Release,
    Retire,
    ToPool,
)
from tfaas_core.engine.shared.mode import Mode
from tfaas_core.engine.shared.suspect import process_died
from tfaas_core.errors import SEE_LOG, ModelLost, TfaasError
from tfaas_core.system.links.link import FarLink, Link
from tfaas_core.system.loop.tasks import Tasks

DRAIN_LOOK_S = 0.05

NOT_LOADED = "it is not loaded; what runs it is found out when it is used"

_log = logging.getLogger("tfaas.engine")


class Pool(Supervisor):
    """Answers HTTP workers that want servables, and looks after the processes that hold them.

    All methods belong to the event loop's thread.
    """

    def __init__(
        self, settings: PoolSettings, starter: Starter, accelerations: Accelerations | None = None
    ) -> None:
        self._accelerations = accelerations
        self._starter = starter
        self._suspects, self._modes = settings.suspects, settings.modes
        self._workers: dict[int, Link[ToPool]] = {}
        self._prepared: dict[int, Seat] = {}
        self._seats = Seats(settings, starter, self._release)
        self._hand_over = HandOver(self._seats)
        self._fleet = Fleet(settings, self._seats, self._workers, self._hand_over, self._further)
        self._replaced = ReplacedVersions(self._seats, settings.max_memory_bytes > 0)
        self._statuses = Statuses()
        self.far = FarUse(self._seats, settings.max_loaded_models)
        """What workers of other machines use of it."""
        self._tasks = Tasks(_log)

    async def start(self) -> None:
        self._seats.start()
        self._tasks.spawn(self._fleet.look_after())

    async def close(self) -> None:
        if self._accelerations is not None:
            await self._accelerations.close()
        await self._tasks.cancel()
        for worker in self._workers:
            self._hand_over.forget(worker)
        await self._seats.close()
        self._statuses.close()
        for link in self._workers.values():
            link.close()

    def attach(self, worker: int, sock: socket.socket) -> None:
        peer = f"the engine of HTTP worker {worker}"

        def heard(message: ToPool, _descriptors: list[int]) -> None:
            self.heed(worker, message)

        self._workers[worker] = Link(sock, ToPool, heard, lambda: self.detach(worker), peer)

    def attach_far(self, worker: int, link: FarLink[Any]) -> None:
        """An HTTP worker of another machine, of a number that no other has; ``link`` leads to it.

        Whoever made the link has ``heed`` heed what comes over it, and calls ``detach`` at its end.
        """
        self._workers[worker] = link

    def connect(self, worker: int, ticket: int, key: str, sock: socket.socket, far: Far) -> None:
        """Hands the servable of a ticket that a far worker got a connection from that worker.

        ``sock`` stays the caller's to close. Raises ModelLost if it is gone, or of another ``key``.
        """
        self._hand_over.connect(worker, ticket, key, sock, far)

    async def until_lost(self, worker: int, ticket: int) -> None:
        """Waits a moment for the death of a servable, if a far worker has perhaps lost it."""
        await self._hand_over.until_lost(worker, ticket)

    async def drain(self) -> None:
        """Takes no new request; returns once those that came are answered."""
        for seat in self._seats:
            self._seats.send_away(seat, "retired")
        while any(seat.meter.rows() for seat in self._seats):
            await asyncio.sleep(DRAIN_LOOK_S)

    def detach(self, worker: int) -> None:
        """The worker is gone: so is what it had in flight, and what it was preparing."""
        if (link := self._workers.pop(worker, None)) is not None:
            link.close()
        self._hand_over.forget(worker)
        for seat in self._seats:
            seat.far_users.discard(worker)
            if link is None or link.carries_descriptors:
                seat.meter.reset(worker)
            if seat.owner == worker:
                self._seats.leave(seat)
        for ticket in [t for t, seat in self._prepared.items() if seat.owner == worker]:
            del self._prepared[ticket]

    # What workers ask for.

    def heed(self, worker: int, message: ToPool) -> None:
        """Does what a worker asks for; the answer goes over its link."""
        match message:
            case Acquire():
                self.begin(worker, message.call, partial(self.acquire, worker, message))
            case Prepare():
                self.begin(worker, message.call, partial(self.prepare, worker, message))
            case AcquirePrepared():
                self.begin(worker, message.call, partial(self._acquire_prepared, worker, message))
            case Adopt():
                self.begin(worker, message.call, partial(self._adopt, worker, message))
            case Judge():
                self.begin(worker, message.call, partial(self._judge, worker, message))
            case Count():
                self.begin(worker, message.call, partial(self._count, worker, message))
            case Discard():
                seat = self._prepared.get(message.ticket)
                if seat is not None and seat.owner == worker:
                    del self._prepared[seat.ticket]
                    self._seats.leave(seat)
            case Accelerate() | AskAcceleration():
                self._accelerate(worker, message)
            case Retire():
                self._replaced.looked_up(worker, message.key.partition("/")[0])
                if self._accelerations is not None:
                    self._accelerations.retire(message.key)
                # Other workers go on using them until they, too, say so.
                for retired in self._seats.live.instances(message.key):
                    self._seats.leave(retired)
            case LookedUp():
                self._replaced.looked_up(worker, message.model)
            case Further():
                self._tasks.spawn(self._fleet.add(message.candidate))

    def begin(self, worker: int, call: int, work: Callable[[], Awaitable[None]]) -> None:
        """Begins ``work``; if it fails, so does the worker's call."""
        self._tasks.spawn(self._answer(worker, call, work))

    async def _answer(self, worker: int, call: int, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except TfaasError as error:
            self._send(worker, Failed(call, Failure.of(error)))
        except OSError as error:
            _log.error("the pool cannot answer HTTP worker %d: %s", worker, error)
            self._send(worker, Failed(call, Failure.of(short_of(error, "do this"))))
        except Exception as error:
            _log.exception("the pool cannot answer HTTP worker %d", worker)
            bug = TfaasError(f"the engine failed: {type(error).__name__}{SEE_LOG}")
            self._send(worker, Failed(call, Failure.of(bug)))

    def _send(self, worker: int, message: Any, descriptors: tuple[int, ...] = ()) -> None:
        if (link := self._workers.get(worker)) is not None:
            link.send(message, descriptors)

    def _release(self, seat: Seat) -> None:
        for worker in self._workers:
            self._send(worker, Release(seat.ticket))

    async def acquire(self, worker: int, message: Acquire) -> None:
        """Connects the worker, once the version is loaded. Raises why it cannot be."""
        candidate = message.candidate
        seat = self._seats.live.get(candidate.key)
        if seat is not None and seat.process is not None:
            # Whoever has just lost it is not to be sent to the dead.
            seat.process.link.receive()
            seat = self._seats.live.get(candidate.key)
        new = seat is None
        if seat is None:
            if not candidate.path:
                return self._send(worker, Absent(message.call))
            self._replaced.check(worker, candidate)
            seat = self._seats.take_live(candidate)
        seat.waiting += 1
        try:
            await asyncio.shield(seat.loaded)
            self._connect(worker, message.call, seat, new)
            self._fleet.introduce_all(worker, seat)
        finally:
            seat.waiting -= 1
            if seat.leaving:
                self._seats.unload(seat)

    async def _acquire_prepared(self, worker: int, message: AcquirePrepared) -> None:
        seat = self._seats.get(message.ticket)
        if seat is None or seat.owner != worker:
            plugin = self._suspects.get(message.runtime, "")
            raise process_died(message.model, plugin)
        self._connect(worker, message.call, seat)

    def _connect(self, worker: int, call: int, seat: Seat, new: bool = False) -> None:
        if seat.process is None or self._seats.get(seat.ticket) is None:
            raise seat.gone()
        stateful = seat.loaded.result().stateful
        if (link := self._workers.get(worker)) is not None:
            connected = Connected(call, seat.ticket, new and not stateful, stateful)
            self._hand_over.to(worker, link, seat, connected)

    async def prepare(self, worker: int, message: Prepare) -> None:
        """Loads an upload for the worker. Raises why it cannot be."""
        seat = self._seats.take(message.candidate, owner=worker)
        loaded = await asyncio.shield(seat.loaded)
        if worker in self._workers:
            self._prepared[seat.ticket] = seat
        self._send(worker, Done(message.call, loaded))

    async def _judge(self, worker: int, message: Judge) -> None:
        seat = self._prepared.get(message.ticket)
        if seat is None or seat.owner != worker:
            raise ModelLost("the upload was lost; try again")
        if not await seat.is_to_blame():
            raise seat.gone()
        self._send(worker, Done(message.call))

    async def _adopt(self, worker: int, message: Adopt) -> None:
        seat = self._prepared.pop(message.ticket, None)
        if seat is not None:
            self._replaced.stored(seat.candidate.name, message.key)
        self._seats.adopt(message.ticket, message.key)
        if self._modes is not None and seat is not None:
            await self._modes.keep(message.key, seat.mode)
        # Where its process died meanwhile, the first request loads the version again.
        self._send(worker, Done(message.call))

    def _accelerate(self, worker: int, message: Accelerate | AskAcceleration) -> None:
        accelerations, seat = self._accelerations, self._seats.live.get(message.key)
        if isinstance(message, Accelerate):
            if accelerations is not None:
                for instance in self._seats.live.instances(message.key):
                    if instance.is_ready:
                        accelerations.begin(instance, message)
            return
        runs = accelerations.runs(seat) if accelerations is not None and seat else None
        how = seat.how() if seat else ("", NOT_LOADED)
        self._send(worker, Runs(message.call, *(runs or ("", NOT_LOADED)), *how))

    def mode(self, ticket: int) -> Mode | None:
        """In which what is loaded is run; None: it is gone."""
        seat = self._seats.get(ticket)
        return None if seat is None else seat.mode

    def _further(self, seat: Seat) -> None:
        if self._accelerations is not None:
            self._accelerations.join(seat)

    async def _count(self, worker: int, message: Count) -> None:
        statuses = [seat.status() for seat in self._seats]
        sized = await self._statuses.with_memory(statuses)
        self._send(worker, Counted(message.call, sized))

    def processes(self) -> dict[int, str]:
        return self._starter.processes()

    def unavailable(self) -> dict[str, str]:
        return self._starter.unavailable()
