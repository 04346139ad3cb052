"""The pool: starts, warms, watches, replaces and stops model processes. It lives in the parent."""

from __future__ import annotations

import asyncio
import itertools
import logging
import socket
import time
from collections.abc import Awaitable
from typing import Any

import msgspec

from tfaas_core.engine.base import Candidate, Loaded, ServableStatus, Supervisor
from tfaas_core.engine.in_parent.loader import Loader
from tfaas_core.engine.in_parent.model_processes import HowItEnded, ModelProcess, ModelProcesses
from tfaas_core.engine.in_parent.seat import Seat
from tfaas_core.engine.in_parent.settings import PoolSettings
from tfaas_core.engine.in_parent.starter import Starter
from tfaas_core.engine.in_parent.watch import INTERVAL_S, Watch
from tfaas_core.engine.scheduling.slow_runs import SlowRuns
from tfaas_core.engine.shared.messages import (
    Absent,
    Acquire,
    AcquirePrepared,
    Adopt,
    Adopted,
    Broken,
    Connect,
    Connected,
    Count,
    Counted,
    Discard,
    Done,
    Failed,
    Failure,
    FromProcess,
    LoadDone,
    LoadFailed,
    Prepare,
    Release,
    Retire,
    ToPool,
    Unload,
    Unloaded,
)
from tfaas_core.engine.shared.meter import Meter
from tfaas_core.errors import ModelLost, TfaasError
from tfaas_core.system.backoff import Backoff
from tfaas_core.system.ending import Ending
from tfaas_core.system.link import Link
from tfaas_core.system.memory import private_bytes
from tfaas_core.system.tasks import Tasks

_log = logging.getLogger("tfaas.engine")


class Pool(Supervisor):
    """Answers HTTP workers that want servables, and looks after the processes that hold them.

    All methods belong to the event loop's thread.
    """

    def __init__(self, settings: PoolSettings, starter: Starter) -> None:
        self._settings = settings
        self._starter = starter
        self._workers: dict[int, Link[ToPool]] = {}
        self._seats: dict[int, Seat] = {}
        self._live: dict[str, Seat] = {}
        self._processes = ModelProcesses(
            starter, settings.one_process, self._heard, self._process_lost
        )
        self._slow_runs = SlowRuns.create()
        self._loader = Loader(settings, self._processes, self._slow_runs)
        self._watch = Watch(settings)
        self._never_made_up: set[str] = set()
        self._backoff = Backoff()
        self._tickets = itertools.count(1)
        self._tasks = Tasks(_log)

    async def start(self) -> None:
        # At once: it takes long.
        self._starter.keep_ready()
        self._tasks.spawn(self._look())

    async def close(self) -> None:
        await self._tasks.cancel()
        self._processes.close()
        for link in self._workers.values():
            link.close()
        for seat in self._seats.values():
            seat.meter.close()
        self._slow_runs.close()
        self._starter.close()

    def attach(self, worker: int, sock: socket.socket) -> None:
        def received(message: ToPool, _descriptors: list[int]) -> None:
            self._handle(worker, message)

        self._workers[worker] = Link(sock, ToPool, received, lambda: self._detach(worker))

    def _detach(self, worker: int) -> None:
        """The worker is gone: so is what it had in flight, and what it was preparing."""
        link = self._workers.pop(worker, None)
        if link is not None:
            link.close()
        for seat in list(self._seats.values()):
            seat.meter.reset(worker)
            if seat.owner == worker:
                self._leave(seat)

    # What workers ask for.

    def _handle(self, worker: int, message: ToPool) -> None:
        match message:
            case Acquire():
                self._begin(worker, message.call, self._acquire(worker, message))
            case Prepare():
                self._begin(worker, message.call, self._prepare(worker, message))
            case AcquirePrepared():
                self._begin(worker, message.call, self._acquire_prepared(worker, message))
            case Adopt():
                self._begin(worker, message.call, self._adopt(worker, message))
            case Count():
                self._begin(worker, message.call, self._count(worker, message))
            case Discard():
                seat = self._seats.get(message.ticket)
                if seat is not None and seat.owner == worker:
                    self._leave(seat)
            case Retire():
                retired = self._live.get(message.key)
                if retired is not None:
                    # Other workers go on using it until they, too, say so.
                    self._leave(retired)

    def _begin(self, worker: int, call: int, work: Awaitable[None]) -> None:
        self._tasks.spawn(self._answer(worker, call, work))

    async def _answer(self, worker: int, call: int, work: Awaitable[None]) -> None:
        try:
            await work
        except TfaasError as error:
            self._send(worker, Failed(call, Failure.of(error)))

    def _send(self, worker: int, message: Any, descriptors: tuple[int, ...] = ()) -> None:
        link = self._workers.get(worker)
        if link is not None:
            link.send(message, descriptors)

    async def _acquire(self, worker: int, message: Acquire) -> None:
        candidate = message.candidate
        seat = self._live.get(candidate.key)
        new = seat is None
        if seat is None:
            if not candidate.path:
                self._send(worker, Absent(message.call))
                return
            seat = self._live[candidate.key] = self._take_seat(candidate)
        seat.waiting += 1
        try:
            await asyncio.shield(seat.loaded)
            self._connect(worker, message.call, seat, new)
        finally:
            seat.waiting -= 1
            if seat.leaving:
                self._unload(seat)

    async def _acquire_prepared(self, worker: int, message: AcquirePrepared) -> None:
        seat = self._seats.get(message.ticket)
        if seat is None or seat.owner != worker:
            raise ModelLost("the process of the upload died; try again")
        self._connect(worker, message.call, seat)

    def _connect(self, worker: int, call: int, seat: Seat, new: bool = False) -> None:
        process = seat.process
        if process is None or seat.ticket not in self._seats:
            name = seat.candidate.name
            raise ModelLost(f"the process of model {name!r} died; try again", model=name)
        may_warm_up = new and not seat.loaded.result().stateful
        ours, theirs = socket.socketpair()
        with ours, theirs:
            process.link.send(Connect(seat.ticket), (theirs.fileno(),))
            descriptors = (ours.fileno(), seat.meter.descriptor)
            self._send(worker, Connected(call, seat.ticket, may_warm_up), descriptors)
        if seat.leaving:
            self._send(worker, Release(seat.ticket))

    async def _prepare(self, worker: int, message: Prepare) -> None:
        seat = self._take_seat(message.candidate, owner=worker)
        loaded = await asyncio.shield(seat.loaded)
        self._send(worker, Done(message.call, loaded))

    async def _adopt(self, worker: int, message: Adopt) -> None:
        seat = self._seats.get(message.ticket)
        if seat is not None and not seat.leaving:
            seat.owner = None
            seat.candidate = msgspec.structs.replace(seat.candidate, key=message.key)
            if not seat.made_up:
                self._never_made_up.add(seat.key)
            if message.key in self._live:
                self._leave(seat)  # another worker saw the version stored, and is using it
            else:
                self._live[message.key] = seat
                if seat.process is not None:
                    seat.process.link.send(Adopted(seat.ticket, seat.key))
        # Where its process died meanwhile, the first request loads the version again.
        self._send(worker, Done(message.call))

    async def _count(self, worker: int, message: Count) -> None:
        found = [seat.status() for seat in self._seats.values()]
        sized = await asyncio.to_thread(lambda: [_with_memory(status) for status in found])
        sized.sort(key=lambda status: status.model)
        self._send(worker, Counted(message.call, sized))

    def processes(self) -> dict[int, str]:
        return self._starter.processes()

    # Seats: taken, loaded, left.

    def _take_seat(self, candidate: Candidate, owner: int | None = None) -> Seat:
        loaded: asyncio.Future[Loaded] = asyncio.get_running_loop().create_future()
        loaded.add_done_callback(lambda future: future.cancelled() or future.exception())
        meter = Meter.create(self._settings.workers)
        seat = Seat(next(self._tickets), candidate, meter, loaded, owner)
        seat.made_up = seat.key not in self._never_made_up
        self._seats[seat.ticket] = seat
        self._make_room(seat)
        self._tasks.spawn(self._load(seat))
        return seat

    def _make_room(self, newcomer: Seat) -> None:
        """Unloads the least recently used beyond ``max_loaded_models``."""
        staying = [seat for seat in self._seats.values() if not seat.leaving]
        movable = [
            seat
            for seat in staying
            if seat is not newcomer and seat.owner is None and seat.loaded.done()
        ]
        movable.sort(key=lambda seat: max(seat.meter.last_used_ns() / 1e9, seat.born_s))
        for seat in movable[: max(0, len(staying) - self._settings.max_loaded_models)]:
            _log.info("unloading %s, the least recently used", seat)
            self._leave(seat)
            for worker in self._workers:
                self._send(worker, Release(seat.ticket))

    async def _load(self, seat: Seat) -> None:
        try:
            await asyncio.sleep(self._backoff.delay_s(seat.key))
            await self._loader.load(seat)
        except TfaasError as error:
            self._fail(seat, error)
        if seat.leaving:
            self._unload(seat)

    def _fail(self, seat: Seat, error: TfaasError) -> None:
        if not seat.loaded.done():
            seat.loaded.set_exception(error)
        self._forget(seat)

    def _leave(self, seat: Seat) -> None:
        """No new request goes there; it is unloaded after its last answer."""
        if seat.leaving:
            return
        seat.leaving = True
        if self._live.get(seat.key) is seat:
            del self._live[seat.key]
        self._unload(seat)

    def _unload(self, seat: Seat) -> None:
        if seat.waiting or seat.ticket not in self._seats:
            return
        if seat.loaded.done():
            if seat.process is not None:
                seat.process.link.send(Unload(seat.ticket))
        elif not self._settings.one_process:
            # It may load for ever, and nobody waits for it.
            self._fail(seat, seat.lost(Ending()))

    def _forget(self, seat: Seat) -> None:
        if self._seats.pop(seat.ticket, None) is None:
            return
        if self._live.get(seat.key) is seat:
            del self._live[seat.key]
        seat.meter.close()
        if seat.process is not None:
            self._processes.give_back(seat.process, seat.ticket)

    # Processes: heard and lost.

    def _heard(self, message: FromProcess) -> None:
        match message:
            case LoadDone():
                seat = self._seats.get(message.loaded.ticket)
                if seat is not None and not seat.loaded.done():
                    seat.born_s = time.monotonic()
                    seat.loaded.set_result(message.loaded)
                    # Those that were loading at the same time could not make room for it.
                    self._make_room(seat)
            case LoadFailed():
                seat = self._seats.get(message.ticket)
                if seat is not None:
                    self._fail(seat, message.failure.error())
            case Unloaded():
                seat = self._seats.get(message.ticket)
                if seat is not None:
                    self._forget(seat)
            case Broken():
                seat = self._seats.get(message.ticket)
                if seat is not None:
                    self._backoff.died(seat.key)
                    _log.warning("%s answers no more: replacing its process", seat)
                    self._forget(seat)

    def _process_lost(self, process: ModelProcess, how_it_ended: HowItEnded) -> None:
        seats = [self._seats[ticket] for ticket in process.tickets if ticket in self._seats]
        for seat in seats:
            # At once: whoever asks next must not be sent to the dead.
            if self._live.get(seat.key) is seat and seat.loaded.done():
                del self._live[seat.key]
        self._tasks.spawn(self._bury(seats, how_it_ended))

    async def _bury(self, seats: list[Seat], how_it_ended: HowItEnded) -> None:
        ending = await how_it_ended()
        for seat in seats:
            if seat.giving_up and not seat.loaded.done():
                self._give_up_warm_up(seat)
                continue
            if not seat.leaving:
                self._backoff.died(seat.key)
                _log.warning("the process of %s died: it %s", seat, ending)
            self._fail(seat, seat.lost(ending))

    def _give_up_warm_up(self, seat: Seat) -> None:
        """Its process was killed in a run of made-up values; another one loads it without them."""
        seat.process = None
        seat.giving_up = False
        seat.meter.run_ends()
        seat.given_up.set()

    async def _look(self) -> None:
        while True:
            try:
                self._starter.keep_ready()
                for seat in list(self._seats.values()):
                    self._watch.look_at(seat)
            except Exception:  # too many open files, say, which must not end the watch
                _log.exception("model processes are not watched at the moment")
            await asyncio.sleep(INTERVAL_S)


def _with_memory(status: ServableStatus) -> ServableStatus:
    size = None if status.pid is None else private_bytes(status.pid)
    return msgspec.structs.replace(status, private_bytes=size)
