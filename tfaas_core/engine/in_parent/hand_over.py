"""HandOver: gives HTTP workers, and the servables that they want, the ends of a connection."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from tfaas_core.engine.in_parent.seat import Seat
from tfaas_core.engine.in_parent.seats import Seats
from tfaas_core.engine.shared.far_messages import Far
from tfaas_core.engine.shared.fleet_messages import Joined
from tfaas_core.engine.shared.messages import Connect, Connected, Release, ToPool
from tfaas_core.engine.shared.slots import new_slots
from tfaas_core.engine.shared.suspect import process_died
from tfaas_core.system.links.link import Link

COMES_WITHIN_S = 10.0
"""A far worker that was told to connect."""

_LOOKS, _LOOK_S = 10, 0.05
"""For the death of a process, which its connections tell of before its link does."""


class HandOver:
    """A worker of this machine gets a new socket's end. One of another machine is told to connect.

    Until that does, the servable is not unloaded. It belongs to the event loop's thread.
    """

    def __init__(self, seats: Seats) -> None:
        self._seats = seats
        self._expected: dict[tuple[int, int], tuple[Seat, asyncio.TimerHandle]] = {}

    def to(self, worker: int, link: Link[ToPool], seat: Seat, message: Connected | Joined) -> None:
        """Connects the worker behind ``link`` to the servable of a seat that has a process."""
        assert seat.process is not None
        if link.carries_descriptors:
            ours, theirs = socket.socketpair()
            with ours, theirs, _slots() as slots:
                seat.process.link.send(Connect(seat.ticket), (theirs.fileno(), *slots))
                link.send(message, (ours.fileno(), seat.meter.descriptor, *slots))
        else:
            if isinstance(message, Connected):  # whoever is told of a further one need not come
                self._expect(worker, seat)
            link.send(message)
        if seat.leaving:
            link.send(Release(seat.ticket))

    def connect(self, worker: int, ticket: int, key: str, sock: socket.socket, far: Far) -> None:
        """As ``Pool.connect``."""
        seat = self._seats.get(ticket)
        self._settle(worker, ticket, but_stays=True)
        try:
            process = None if seat is None or seat.candidate.key != key else seat.process
            if process is not None:
                process.link.receive()  # it may have died just now
            if seat is None or process is None or seat.is_lost:
                raise process_died(key.partition("/")[0] or "of the upload", "")
            process.link.send(Connect(ticket, far), (sock.fileno(),))
            if seat.owner is None:  # each run of an upload has a connection of its own
                seat.far_users.add(worker)
        finally:
            self._unload_if_leaving(seat)

    async def until_lost(self, worker: int, ticket: int) -> None:
        """As ``Pool.until_lost``."""
        for _look in range(_LOOKS):
            seat = self._seats.get(ticket)
            if seat is None or seat.is_lost or worker not in seat.far_users:
                return
            await asyncio.sleep(_LOOK_S)

    def forget(self, worker: int) -> None:
        """It is gone: nothing waits for it."""
        for number, ticket in list(self._expected):
            if number == worker:
                self._settle(number, ticket)

    def _expect(self, worker: int, seat: Seat) -> None:
        self._settle(worker, seat.ticket)
        seat.waiting += 1
        loop = asyncio.get_running_loop()
        later = loop.call_later(COMES_WITHIN_S, self._settle, worker, seat.ticket)
        self._expected[worker, seat.ticket] = seat, later

    def _settle(self, worker: int, ticket: int, but_stays: bool = False) -> None:
        seat, later = self._expected.pop((worker, ticket), (None, None))
        if seat is None or later is None:
            return
        later.cancel()
        seat.waiting -= 1
        if not but_stays:
            self._unload_if_leaving(seat)

    def _unload_if_leaving(self, seat: Seat | None) -> None:
        if seat is not None and seat.leaving:
            self._seats.unload(seat)


@contextmanager
def _slots() -> Iterator[tuple[int, ...]]:
    """The descriptor of memory for both ends, closed behind the block; none if there is none."""
    try:
        descriptor = new_slots()
    except OSError:  # what is large is sent then
        yield ()
        return
    try:
        yield (descriptor,)
    finally:
        os.close(descriptor)
