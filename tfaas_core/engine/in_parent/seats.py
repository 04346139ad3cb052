"""Seats: all servables of a pool, taken, loaded and left, and the processes that hold them."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import Callable, Iterator
from functools import partial

import msgspec

from tfaas_core.engine.base import Candidate, Loaded
from tfaas_core.engine.in_parent.live_seats import LiveSeats
from tfaas_core.engine.in_parent.loader import Loader
from tfaas_core.engine.in_parent.memory_room import MemoryRoom
from tfaas_core.engine.in_parent.model_processes import HowItEnded, ModelProcess, ModelProcesses
from tfaas_core.engine.in_parent.seat import Seat, replaced
from tfaas_core.engine.in_parent.settings import PoolSettings
from tfaas_core.engine.in_parent.starter import Starter
from tfaas_core.engine.in_parent.watch import INTERVAL_S, Watch
from tfaas_core.engine.scheduling.slow_runs import SlowRuns
from tfaas_core.engine.shared.acceleration_messages import HasSwitched
from tfaas_core.engine.shared.messages import (
    Adopted,
    Broken,
    FromProcess,
    LoadDone,
    LoadFailed,
    Loading,
    Unload,
    Unloaded,
)
from tfaas_core.engine.shared.meter import Meter
from tfaas_core.errors import TfaasError
from tfaas_core.system.lives.backoff import Backoff
from tfaas_core.system.lives.ending import Ending
from tfaas_core.system.loop.tasks import Tasks
from tfaas_core.system.output.one_line import described
from tfaas_core.system.resources.out_of_memory import OutOfMemory

_log = logging.getLogger("tfaas.engine")


class Seats:
    """Those that are *live* are where new requests for stored versions go; see LiveSeats.

    ``on_evicted``: called with a seat that makes room for another, or whose process does not even
    die, so that no worker keeps it in use. All methods belong to the event loop's thread.
    """

    def __init__(
        self, settings: PoolSettings, starter: Starter, on_evicted: Callable[[Seat], None]
    ) -> None:
        self._settings = settings
        self._starter = starter
        self._on_evicted = on_evicted
        self._seats: dict[int, Seat] = {}
        self.live = LiveSeats(self._seats)
        self.memory = MemoryRoom(settings.max_memory_bytes, self.live, self.send_away)
        self._processes = ModelProcesses(
            starter, settings.one_process, self._heard, self._process_lost
        )
        self._slow_runs = SlowRuns.create()
        self._loader = Loader(settings, self._processes, self._slow_runs, self.memory)
        self._watch = Watch(settings)
        self._out_of_memory = OutOfMemory()
        self._never_made_up: set[str] = set()
        self._backoff = Backoff()
        self._tickets = itertools.count(1)
        self._tasks = Tasks(_log)
        self._told = ""

    def start(self) -> None:
        """Looks after the seats from now on."""
        # At once: it takes long.
        self._starter.keep_ready()
        self._tasks.spawn(self._look())
        self.memory.start()

    async def close(self) -> None:
        """Ends all processes."""
        await self._tasks.cancel()
        await self.memory.close()
        self._processes.close()
        for seat in self._seats.values():
            seat.meter.close()
        self._slow_runs.close()
        self._starter.close()

    def __iter__(self) -> Iterator[Seat]:
        return iter(list(self._seats.values()))

    def get(self, ticket: int) -> Seat | None:
        """The seat of this ticket, unless it was given up."""
        return self._seats.get(ticket)

    def take_live(self, candidate: Candidate) -> Seat:
        """A new seat, live from now on, which is being loaded."""
        self.live.add(seat := self.take(candidate))
        return seat

    def has_room(self, like: Seat) -> bool:
        """Whether another seat may be taken for the same version without unloading one."""
        return self.live.room(self._settings.max_loaded_models) > 0 and self.memory.has_room(like)

    def take(
        self, candidate: Candidate, owner: int | None = None, mergeable: bool | None = None
    ) -> Seat:
        """A new seat, which is being loaded; ``owner``: see Seat, and ``mergeable``: see Load."""
        loaded: asyncio.Future[Loaded] = asyncio.get_running_loop().create_future()
        loaded.add_done_callback(lambda future: future.cancelled() or future.exception())
        meter = Meter.create(self._settings.workers)
        plugin = self._settings.suspects.get(candidate.runtime, "")
        seat = Seat(next(self._tickets), candidate, meter, loaded, owner, plugin, mergeable)
        seat.made_up = candidate.key not in self._never_made_up
        self._seats[seat.ticket] = seat
        self._make_room(seat)
        self._tasks.spawn(self._load(seat))
        return seat

    def _make_room(self, newcomer: Seat) -> None:
        """Unloads the least recently used beyond ``max_loaded_models``."""
        for seat in self.live.beyond(self._settings.max_loaded_models, newcomer):
            _log.info("unloading %s, the least recently used", seat)
            self.send_away(seat, "evicted")

    async def _load(self, seat: Seat) -> None:
        try:
            await asyncio.sleep(self._backoff.delay_s(seat.candidate.key))
            await self.memory.admit(seat)
            await self._loader.load(seat)
        except TfaasError as error:
            self._fail(seat, error)
        except Exception as error:
            # Whoever waits for the seat would wait for ever.
            _log.exception("%s cannot be loaded", seat)
            self._fail(seat, seat.cannot_load(error))
        if seat.leaving:
            self.unload(seat)

    def _fail(self, seat: Seat, error: TfaasError) -> None:
        if not seat.loaded.done():
            seat.loaded.set_exception(error)
        self._forget(seat)

    def adopt(self, ticket: int, key: str) -> None:
        """What was prepared there was stored as ``key``; does nothing if it is there no more."""
        seat = self._seats.get(ticket)
        if seat is None or seat.leaving:
            return
        seat.owner = None
        seat.candidate = msgspec.structs.replace(seat.candidate, key=key)
        if not seat.made_up:
            self._never_made_up.add(key)
        if key in self.live:
            self.leave(seat)  # another worker saw the version stored, and is using it
            return
        self.live.add(seat)
        self._tell_loaded(seat)
        if seat.process is not None:
            seat.process.link.send(Adopted(seat.ticket, key))
        self.memory.go_on()  # it may have to go for others from now on

    def replace_waiting(self, model: str) -> None:
        """Gives up those that wait for memory for versions of that model."""
        for seat in self.memory.waiting(model):
            self._fail(seat, replaced(seat.candidate))

    def leave(self, seat: Seat, why: str = "retired") -> None:
        """No new request goes there; it is unloaded after its last answer."""
        if seat.leaving:
            return
        seat.leave(why)
        self.live.remove(seat)
        self.unload(seat)

    def send_away(self, seat: Seat, why: str) -> None:
        """As ``leave``, and no worker keeps it in use."""
        self.leave(seat, why)
        self._on_evicted(seat)

    def unload(self, seat: Seat) -> None:
        """Once nobody waits to be connected to it."""
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
        self.live.remove(seat)
        seat.meter.close()
        if seat.process is not None:
            self._processes.give_back(seat.process, seat.ticket)
        self.memory.forget(seat)
        if seat.is_told:
            self._settings.tell(seat.unloaded_event())

    def _tell_loaded(self, seat: Seat) -> None:
        seat.is_told = True
        self._settings.tell(seat.loaded_event())

    def _tell_crashed(self, seat: Seat, ending: str) -> None:
        self._settings.tell(seat.crashed_event(ending))
        seat.is_told = False

    # Processes: heard and lost.

    def _heard(self, message: FromProcess) -> None:
        ticket = message.loaded.ticket if isinstance(message, LoadDone) else message.ticket
        if (seat := self._seats.get(ticket)) is None:
            return
        match message:
            case Loading():
                seat.is_begun = True
            case LoadDone():
                if not seat.loaded.done():
                    self._loaded(seat, message.loaded)
            case LoadFailed():
                self._fail(seat, message.failure.error())
            case Unloaded():
                self._forget(seat)
            case HasSwitched():
                if not seat.switched.done():
                    seat.switched.set_result(message.refusal)
            case Broken():
                seat.buried(Ending(0))
                self._backoff.died(seat.candidate.key)
                _log.warning("%s answers no more: replacing its process", seat.blamed)
                self._tell_crashed(seat, "answers no more")
                self._forget(seat)

    def _loaded(self, seat: Seat, found: Loaded) -> None:
        seat.born_s = time.monotonic()
        seat.loaded.set_result(found)
        if seat.candidate.key:
            self._tell_loaded(seat)
        # Those that were loading at the same time could not make room for it.
        self._make_room(seat)
        self.memory.loaded(seat)

    def _process_lost(self, process: ModelProcess, how_it_ended: HowItEnded) -> None:
        seats = [self._seats[ticket] for ticket in process.tickets if ticket in self._seats]
        for seat in seats:
            # At once: whoever asks next must not be sent to the dead.
            if seat.loaded.done():
                self.live.remove(seat)
        self._tasks.spawn(self._bury(seats, how_it_ended))

    async def _bury(self, seats: list[Seat], how_it_ended: HowItEnded) -> None:
        ending = await how_it_ended()
        if self._out_of_memory.killed_lately():
            ending = msgspec.structs.replace(ending, out_of_memory=True)
        for seat in seats:
            if seat.giving_up and not seat.loaded.done():
                seat.give_up_warm_up()
                continue
            seat.buried(ending)
            if not seat.leaving:
                self._backoff.died(seat.candidate.key)
                _log.warning("the process of %s died: it %s", seat.blamed, ending)
                self._tell_crashed(seat, str(ending))
            self._fail(seat, seat.lost(ending))

    async def _look(self) -> None:
        while True:
            self._going_on(self._starter.keep_ready)
            self._going_on(self._out_of_memory.killed_lately)
            for seat in list(self._seats.values()):
                self._going_on(partial(self._look_at, seat))
            await asyncio.sleep(INTERVAL_S)

    def _look_at(self, seat: Seat) -> None:
        self._watch.look_at(seat)
        if seat.process is not None and self._watch.outlives_its_end(seat):
            _log.warning("the process of %s does not even die: going on without it", seat.blamed)
            # Workers are still connected to it, and it will not hang up on them.
            for other in [s for s in self._seats.values() if s.process is seat.process]:
                self._on_evicted(other)
            self._processes.abandon(seat.process)

    def _going_on(self, step: Callable[[], object]) -> None:
        """Does it; if it fails, all else goes on."""
        try:
            step()
        except BaseException as error:  # too many open files, or exit() in a plugin
            if (why := described(error)) != self._told:
                self._told = why
                _log.exception("model processes are not watched at the moment")
