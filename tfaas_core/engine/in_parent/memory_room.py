"""MemoryRoom: which seats may begin to load, by the memory that all model processes have."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable, Collection
from pathlib import Path

import msgspec

from tfaas_core.engine.in_parent.live_seats import LiveSeats
from tfaas_core.engine.in_parent.memory_share import NEXT, MemoryShare
from tfaas_core.engine.in_parent.seat import Seat
from tfaas_core.files.tree import tree_bytes
from tfaas_core.system.loop.tasks import Tasks
from tfaas_core.system.output.one_line import described
from tfaas_core.system.resources.memory import KnownMemory, private_bytes

ROOM_TIMEOUT_S = 120.0
"""Until those that came before a seat are loaded, and those that have to go have gone."""

_LOOK_EVERY_S = 0.25
"""At processes that were told to end: their memory is theirs until they have."""

_LOOKS_A_MEASUREMENT = 40

_VERSIONS_REMEMBERED = 10_000

_log = logging.getLogger("tfaas.engine")


class _Turn(msgspec.Struct):
    """A seat that waits; ``size_bytes``: of its artifact, None until it is known."""

    seat: Seat
    comes: asyncio.Future[None]
    size_bytes: int | None = None

    def come(self) -> None:
        """It waits no more."""
        if not self.comes.done():  # its time may just be over
            self.comes.set_result(None)


class MemoryRoom:
    """Has seats wait until what they take fits beside what the others have.

    ``most_bytes``: of all together; 0: there is no limit, and nobody waits. A seat takes what its
    artifact has in bytes, and from its load on what its process is found to have of its own, which
    is what its version takes if it is loaded again. For one that has to wait, trials of others end,
    and those used least recently go, by ``send_away``; one that is larger than all the room is
    loaded alone. Seats get their turns in the order in which they came. All methods belong to the
    event loop's thread.
    """

    def __init__(
        self, most_bytes: int, live: LiveSeats, send_away: Callable[[Seat, str], None]
    ) -> None:
        self._most_bytes = most_bytes
        self._live = live
        self._send_away = send_away
        self._shares: dict[int, MemoryShare] = {}
        self._ending: dict[int, int] = {}
        self._turns: dict[int, _Turn] = {}
        self._measuring: set[int] = set()
        self._found: dict[str, int] = {}
        self._memory = KnownMemory()
        self._tasks = Tasks(_log)
        self._told = ""

    def start(self) -> None:
        """Looks at what processes have from now on, if there is a limit."""
        if self._most_bytes:
            self._tasks.spawn(self._look())

    async def close(self) -> None:
        """Looks no more."""
        await self._tasks.cancel()

    async def admit(self, seat: Seat) -> None:
        """Returns once the seat may be loaded. Raises Unavailable if that takes too long."""
        if not self._most_bytes:
            return
        turn = self._turns[seat.ticket] = _Turn(seat, asyncio.get_running_loop().create_future())
        try:
            turn.size_bytes = await self._artifact_bytes(seat)
            self.go_on()
            async with asyncio.timeout(ROOM_TIMEOUT_S):
                await turn.comes
        except TimeoutError:
            raise seat.without_room(ROOM_TIMEOUT_S) from None
        finally:
            self._turns.pop(seat.ticket, None)

    async def tries(self, seat: Seat, pids: Collection[int], further: int) -> bool:
        """The model of an admitted seat is tried in these processes, until ``has_tried``.

        Tells whether they fit, with what they have now, and so many ``further`` ones, for which
        room is kept then. They take no other model's place.
        """
        if (share := self._shares.get(seat.ticket)) is None:
            return True
        found = await self._found_by(_private_bytes, pids)
        share.tried_bytes = {pid: size_bytes or 0 for pid, size_bytes in found.items()}
        share.size_bytes = max([share.size_bytes, *share.tried_bytes.values()])
        share.tried_bytes[NEXT] = share.size_bytes * further
        if self._taken_bytes() <= self._most_bytes:
            return True
        del share.tried_bytes[NEXT]
        return False

    def has_tried(self, seat: Seat) -> None:
        """These processes were told to end."""
        if (share := self._shares.get(seat.ticket)) is not None:
            self._end_trial(share)
            self.go_on()

    def _end_trial(self, share: MemoryShare) -> int:
        """Gives how many bytes will be free once its processes have ended."""
        share.seat.end_trial()
        taken_bytes, tried_bytes = share.taken_bytes, share.tried_bytes
        tried_bytes.pop(NEXT, None)
        self._ending |= tried_bytes
        share.tried_bytes = {}
        return taken_bytes - share.size_bytes

    def loaded(self, seat: Seat) -> None:
        """It is: what its process has is measured, before anybody else gets a turn."""
        if seat.ticket in self._shares:
            self._measuring.add(seat.ticket)
            self._tasks.spawn(self._measure([seat.ticket]))

    def forget(self, seat: Seat) -> None:
        """It is there no more, though its process may be, for a moment."""
        if (share := self._shares.pop(seat.ticket, None)) is not None:
            self._end_trial(share)
        if share is not None and seat.pid is not None:
            self._ending[seat.pid] = share.size_bytes
            if seat.candidate.key:
                self._remember(seat.candidate.key, share.size_bytes)
        if (turn := self._turns.pop(seat.ticket, None)) is not None:
            turn.come()
        self.go_on()

    def waiting(self, model: str) -> list[Seat]:
        """The seats of stored versions of that model that wait for their turn."""
        seats = [turn.seat for turn in self._turns.values()]
        return [seat for seat in seats if seat.owner is None and seat.candidate.name == model]

    def has_room(self, like: Seat) -> bool:
        """Whether a further process that takes as much as this one fits as things are."""
        share = self._shares.get(like.ticket)
        return share is None or self._taken_bytes() + share.size_bytes <= self._most_bytes

    def fits(self, key: str, size_bytes: int, beside: Collection[Seat]) -> bool:
        """Whether a version, of what it had before or else that size, fits if those seats went."""
        if not self._most_bytes:
            return True
        size_bytes = self._found.get(key, size_bytes)
        waiting_bytes = sum(map(self._wanted_bytes, self._turns.values()))
        shares = [self._shares[each.ticket] for each in beside if each.ticket in self._shares]
        taken_bytes = self._taken_bytes() - sum(share.taken_bytes for share in shares)
        return taken_bytes + waiting_bytes + size_bytes <= self._most_bytes

    def go_on(self) -> None:
        """Admits those whose turn it is and that fit, and makes room for the next one."""
        while self._turns and not self._measuring:
            ticket, turn = next(iter(self._turns.items()))
            if turn.size_bytes is None:
                return
            is_alone = not (self._shares or self._ending)
            size_bytes = self._wanted_bytes(turn)
            if self._taken_bytes() + size_bytes > self._most_bytes and not is_alone:
                self._make_room(turn.seat, size_bytes)
                return
            del self._turns[ticket]
            self._shares[ticket] = MemoryShare(turn.seat, size_bytes)
            turn.come()

    def _wanted_bytes(self, turn: _Turn) -> int:
        # What had it before may have gone while it waited.
        return max(turn.size_bytes or 0, self._found.get(turn.seat.candidate.key, 0))

    def _remember(self, key: str, size_bytes: int) -> None:
        self._found[key] = size_bytes
        if len(self._found) > _VERSIONS_REMEMBERED:
            del self._found[next(iter(self._found))]

    def _taken_bytes(self) -> int:
        taken_bytes = sum(share.taken_bytes for share in self._shares.values())
        return taken_bytes + sum(self._ending.values())

    def _make_room(self, newcomer: Seat, size_bytes: int) -> None:
        """Ends trials, and sends away those used least recently, until so much will fit beside the
        others.

        A further process takes no other's place: if it has to wait, it goes itself.
        """
        staying = {t: share for t, share in self._shares.items() if not share.seat.leaving}
        spare_bytes = self._most_bytes - size_bytes
        spare_bytes -= sum(share.taken_bytes for share in staying.values())
        for tried in staying.values():
            if spare_bytes < 0 and tried.tried_bytes:
                spare_bytes += self._end_trial(tried)
        for seat in self._live.movable(newcomer):
            if spare_bytes >= 0:
                return
            share = staying.get(seat.ticket)
            if share is None and seat is newcomer:
                self._send_away(newcomer, "evicted")
                return
            if share is not None:
                spare_bytes += share.size_bytes
                _log.info("unloading %s, the least recently used, to make room in memory", seat)
                self._send_away(seat, "evicted")

    # What processes have.

    async def _look(self) -> None:
        for look in itertools.count(1):
            await asyncio.sleep(_LOOK_EVERY_S)
            if self._ending:
                await self._look_at_endings()
            if look % _LOOKS_A_MEASUREMENT == 0:
                await self._measure(list(self._shares))

    async def _look_at_endings(self) -> None:
        left = await self._found_by(_private_bytes, list(self._ending))
        for pid in set(self._ending):
            if left.get(pid, 0) is None:
                del self._ending[pid]
        self.go_on()

    async def _measure(self, tickets: Collection[int]) -> None:
        shares = [share for ticket, share in self._shares.items() if ticket in tickets]
        seats = [share.seat for share in shares if share.seat.is_ready]
        pids = {seat.pid for seat in seats if seat.pid is not None}
        found = await self._found_by(self._memory.of, pids)
        for share in shares:
            if (size_bytes := found.get(share.seat.pid or 0)) is not None:
                share.size_bytes = size_bytes
        self._measuring.difference_update(tickets)
        self._keep_within()
        self.go_on()

    async def _artifact_bytes(self, seat: Seat) -> int:
        try:
            return await asyncio.to_thread(tree_bytes, Path(seat.candidate.path))
        except Exception as error:
            self._tell(error)
            return 0

    async def _found_by(
        self, look: Callable[[Collection[int]], dict[int, int | None]], pids: Collection[int]
    ) -> dict[int, int | None]:
        """What each process has; None: it is gone. What cannot be found out is left out."""
        try:
            return await asyncio.to_thread(look, pids)
        except Exception as error:
            self._tell(error)
            return {}

    def _tell(self, error: Exception) -> None:
        """No thread can be started, say: those that wait must go on."""
        if (why := described(error)) != self._told:
            self._told = why
            _log.error("what models have in memory is not known at the moment", exc_info=error)

    def _keep_within(self) -> None:
        shares = [share for share in self._shares.values() if not share.seat.leaving]
        if sum(share.taken_bytes for share in shares) <= self._most_bytes:
            return
        last = max(shares, key=lambda share: share.seat.used_s)
        self._make_room(last.seat, 0)
        if last.size_bytes > self._most_bytes and not last.is_told:
            last.is_told = True
            _log.warning(
                "%s takes %d MB of memory by itself, and engine.max_memory_bytes is %d MB",
                last.seat,
                last.size_bytes / 1e6,
                self._most_bytes / 1e6,
            )


def _private_bytes(pids: Collection[int]) -> dict[int, int | None]:
    return {pid: private_bytes(pid) for pid in pids}
