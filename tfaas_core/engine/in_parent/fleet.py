"""Fleet: the further processes that a version has while its queue stays long."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence

import msgspec

from tfaas_core.engine.base import Candidate
from tfaas_core.engine.in_parent.hand_over import HandOver
from tfaas_core.engine.in_parent.seat import Seat
from tfaas_core.engine.in_parent.seats import Seats
from tfaas_core.engine.in_parent.settings import PoolSettings
from tfaas_core.engine.in_parent.watch import INTERVAL_S
from tfaas_core.engine.scheduling.demand import Demand, Sight
from tfaas_core.engine.shared.fleet_messages import Joined, MoreWanted
from tfaas_core.engine.shared.messages import ToPool
from tfaas_core.errors import TfaasError
from tfaas_core.system.links.link import Link
from tfaas_core.system.output.one_line import described
from tfaas_core.system.resources.cores import usable_cores
from tfaas_core.system.resources.idle_cores import IdleCores

_ENOUGH_IDLE = 0.5
"""Of a core: with less, another process would take more from others than it adds."""

_ASK_AGAIN_S = 5.0
"""If the worker that was asked where a version is does not answer."""

_FIRST_RETRY_S, _LONGEST_RETRY_S = 10.0, 600.0
"""After a further process that could not load what another one has loaded."""

_log = logging.getLogger("tfaas.engine")


class _Version(msgspec.Struct):
    most: int
    only_if_idle: bool
    demand: Demand = msgspec.field(default_factory=Demand)
    next_try_s: float = 0.0
    failures: int = 0


class Fleet:
    """Gives versions that may have several processes further ones, and takes them back.

    ``workers`` are the links to the HTTP workers. ``on_added`` gets each further process that is
    loaded. All methods belong to the event loop's thread.
    """

    def __init__(
        self,
        settings: PoolSettings,
        seats: Seats,
        workers: Mapping[int, Link[ToPool]],
        hand_over: HandOver,
        on_added: Callable[[Seat], None],
    ) -> None:
        self._settings = settings
        self._seats = seats
        self._workers = workers
        self._hand_over = hand_over
        self._on_added = on_added
        self._cores = IdleCores()
        self._versions: dict[str, _Version] = {}
        self._told = ""

    async def look_after(self) -> None:
        """Looks at what the versions need, again and again."""
        while True:
            await asyncio.sleep(INTERVAL_S)
            try:
                self._look()
            except Exception as error:  # all else goes on
                if (why := described(error)) != self._told:
                    self._told = why
                    _log.exception("no model gets further processes at the moment")

    async def add(self, candidate: Candidate) -> None:
        """Starts a further process for a version, now that it is known where that is."""
        version, live = self._versions.get(candidate.key), self._seats.live.get(candidate.key)
        if version is None or live is None or not self._may_have_more(candidate.key, version):
            return
        first = live.loaded.result()
        seat = self._seats.take(candidate, mergeable=first.mergeable)
        seat.shared_rows = first.shared_rows
        try:
            await asyncio.shield(seat.loaded)
        except TfaasError as error:
            if seat.leaving:
                return
            retry_s = min(_FIRST_RETRY_S * 2**version.failures, _LONGEST_RETRY_S)
            version.failures += 1
            version.next_try_s = time.monotonic() + retry_s
            _log.warning("%s gets no further process for now: %s", seat, error.message)
            return
        version.failures, version.next_try_s = 0, 0.0
        self._on_added(seat)
        for worker in list(self._workers):
            self._introduce(worker, seat)

    def introduce_all(self, worker: int, live: Seat) -> None:
        """Connects a worker that was connected to the live seat of a version to the others, too."""
        for seat in self._seats.live.instances(live.candidate.key):
            if seat is not live:
                self._introduce(worker, seat)

    def _introduce(self, worker: int, seat: Seat) -> None:
        if (link := self._workers.get(worker)) is not None and seat.is_ready:
            message = Joined(seat.ticket, seat.candidate.key)
            self._hand_over.to(worker, link, seat, message)

    def _look(self) -> None:
        ready = [seat for seat in self._seats.live.all() if seat.is_ready]
        known = self._versions
        self._versions = {
            seat.candidate.key: known.get(seat.candidate.key) or self._version(seat)
            for seat in ready
        }
        several = {key: version for key, version in self._versions.items() if version.most > 1}
        if several:
            idle = self._cores.since(time.monotonic())
            for key, version in several.items():
                self._look_at(key, version, idle)

    def _version(self, seat: Seat) -> _Version:
        most = self._settings.instances_of(seat.candidate)
        if seat.loaded.result().stateful:
            most = 1
        return _Version(usable_cores(), True) if most == "auto" else _Version(most, False)

    def _look_at(self, key: str, version: _Version, idle: float) -> None:
        ready = [seat for seat in self._seats.live.instances(key) if seat.is_ready]
        demand = version.demand
        demand.look([Sight(s.ticket, s.meter.busy_ns(), s.meter.rows()) for s in ready])
        if demand.needs_more():
            if not version.only_if_idle or idle >= _ENOUGH_IDLE:
                self._ask(key, version, ready)
        elif demand.needs_fewer() and len(ready) > 1:
            _log.info("ending a process of %s: the others suffice", ready[-1])
            self._seats.send_away(ready[-1], "spare")

    def _ask(self, key: str, version: _Version, ready: Sequence[Seat]) -> None:
        """Asks the worker that has used it last where the version is; ``add`` comes of that."""
        if time.monotonic() < version.next_try_s or not self._may_have_more(key, version):
            return
        version.next_try_s = time.monotonic() + _ASK_AGAIN_S
        last = max(ready, key=lambda seat: seat.meter.last_used_ns())
        if (link := self._workers.get(last.meter.last_user())) is not None:
            link.send(MoreWanted(key))

    def _may_have_more(self, key: str, version: _Version) -> bool:
        """Whether another one may be taken: not while one is being loaded, or would need room."""
        seats = self._seats.live.instances(key)
        is_settled = bool(seats) and all(seat.is_ready for seat in seats)
        return is_settled and len(seats) < version.most and self._seats.has_room(seats[0])
