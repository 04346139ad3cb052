"""Reserve: the last of several HTTP workers, which takes connections while the others need it.

Requests that one worker reads in a turn of its event loop share a message to the model, a run, and
a wake-up; the fewer workers have the connections, the more they share, and the more is left of the
cores for models.
"""

from __future__ import annotations

import asyncio
import logging
import struct
import time
from collections.abc import Sequence
from typing import Protocol

import msgspec

from tfaas_core.settings.tables import Server
from tfaas_core.shared_memory import SharedMemory
from tfaas_core.system.loop.tasks import Tasks
from tfaas_core.system.resources.idle_cores import IdleCores

MANY = 64
"""Connections of a worker that are enough to keep it busy without the reserve."""

_EVERY_S = 0.1
_LATE_S = 0.3
"""A worker that has not said anything for so long is blocked, or gone."""

_BUSY = 0.9
"""The share of the time that its event loop computes, from which on a worker could do with help."""

_IDLE_CORES = 0.5
_IDLE_EVERY_S = 0.5
_CALM = 0.6
"""How much of what calls for the reserve may be left if it is to go."""

_CALM_S = 5.0
_SEND_AWAY_EVERY_S = 1.0
_SIGN = struct.Struct("=dqd?7x")

_log = logging.getLogger("tfaas.worker")


class Sign(msgspec.Struct, frozen=True):
    """What a worker says of itself: when (by the monotonic clock), how many connections it has,
    which share of the time its event loop has computed lately, and whether it takes connections.
    """

    at_s: float
    connections: int
    busy: float
    accepts: bool = True


class Roster:
    """What each of ``workers`` has said last, in memory that all share."""

    def __init__(self, workers: int) -> None:
        """Raises OSError."""
        self._workers = workers
        self._memory = SharedMemory(workers * _SIGN.size)

    @classmethod
    def of(cls, server: Server) -> Roster | None:
        """None: all workers take connections at all times. Raises OSError."""
        has_reserve = server.reserve_worker and server.worker_count > 1
        return cls(server.worker_count) if has_reserve else None

    def say(self, worker: int, sign: Sign) -> None:
        """Replaces what ``worker`` has said."""
        _SIGN.pack_into(self._memory.bytes, worker * _SIGN.size, *msgspec.structs.astuple(sign))

    def gone(self, worker: int) -> None:
        """``worker`` has ended, and says nothing any more."""
        self.say(worker, Sign(0.0, 0, 0.0, accepts=False))

    def others(self, worker: int) -> list[Sign]:
        """What all but ``worker`` have said."""
        signs = _SIGN.iter_unpack(bytes(self._memory.bytes))
        return [Sign(*said) for number, said in enumerate(signs) if number != worker]

    def is_reserve(self, worker: int) -> bool:
        """Whether ``worker`` is the last one."""
        return worker == self._workers - 1


def are_short(others: Sequence[Sign], now_s: float, cores_are_idle: bool, many: int = MANY) -> bool:
    """Whether workers that say this of themselves need the reserve.

    It helps those that are busy only on a core that is idle: else it would take that from models.
    """
    return (
        any(now_s - sign.at_s > _LATE_S for sign in others)
        or sum(sign.connections for sign in others) > many * len(others)
        or (cores_are_idle and all(sign.busy > _BUSY for sign in others))
    )


def would_do(others: Sequence[Sign], reserve: Sign, cores_are_idle: bool, many: int = MANY) -> bool:
    """Whether ``others`` would be at ease with what the reserve has, too; or as busy without."""
    connections = sum(sign.connections for sign in others) + reserve.connections
    busy = sum(sign.busy for sign in others) + reserve.busy
    are_at_ease = busy <= _CALM * _BUSY * len(others)
    return connections <= _CALM * many * len(others) and (are_at_ease or not cores_are_idle)


def too_many(own: Sign, others: Sequence[Sign], many: int = MANY) -> int:
    """How many connections the worker that says ``own`` of itself should leave to others.

    Clients that keep their connections may have come all at once, while the reserve took none.
    """
    taking = [each for each in others if each.accepts and own.at_s - each.at_s < _LATE_S]
    idle = [each.connections for each in taking if each.busy < _CALM * _BUSY]
    fewest = min(idle, default=own.connections)
    has_too_many = own.busy > _BUSY and own.connections > max(many, 2 * fewest)
    return (own.connections - fewest) // 2 if has_too_many else 0


class Accepting(Protocol):
    """What takes connections."""

    @property
    def open_connections(self) -> int:
        """How many there are."""
        ...

    @property
    def most_connections(self) -> int:
        """How many there may be."""
        ...

    @property
    def is_accepting(self) -> bool:
        """Whether it takes more."""
        ...

    def rest(self) -> None:
        """Takes no more, and goes on with those that there are."""
        ...

    async def accept(self) -> None:
        """Takes connections again. Raises OSError."""
        ...

    def send_away(self, count: int) -> None:
        """Has so many clients connect anew."""
        ...


class Turns:
    """Says how one worker is, ten times a second, and has it share connections with the others.

    If it is the reserve, it rests and accepts. All in the block, in the event loop.
    """

    def __init__(self, roster: Roster, worker: int, front: Accepting, tasks: Tasks) -> None:
        self._roster = roster
        self._worker = worker
        self._front = front
        self._many = min(MANY, front.most_connections // 2)
        self._tasks = tasks
        self._said = Sign(time.monotonic(), 0, 0.0)
        self._computed_s = time.thread_time()
        # Clients that were cut off by a restart come back all at once.
        self._needed_s = self._sent_away_s = self._said.at_s
        self._is_reserve = roster.is_reserve(worker)
        self._idle_cores = IdleCores()
        self._cores_are_idle, self._asked_s = False, self._said.at_s

    def __enter__(self) -> None:
        self._look()

    def __exit__(self, *_: object) -> None:
        self._next.cancel()
        self._roster.gone(self._worker)

    def _look(self) -> None:
        self._next = asyncio.get_running_loop().call_later(_EVERY_S, self._look)
        now_s, computed_s = time.monotonic(), time.thread_time()
        passed_s = max(now_s - self._said.at_s, _EVERY_S / 2)
        busy = (computed_s - self._computed_s) / passed_s
        front = self._front
        self._said = Sign(now_s, front.open_connections, busy, front.is_accepting)
        self._computed_s = computed_s
        self._roster.say(self._worker, self._said)
        others = self._roster.others(self._worker)
        if self._is_reserve:
            self._decide(others, now_s)
        if now_s - self._sent_away_s > _SEND_AWAY_EVERY_S:
            self._share(others, now_s)

    def _share(self, others: Sequence[Sign], now_s: float) -> None:
        if count := too_many(self._said, others, self._many):
            self._sent_away_s = now_s
            _log.debug("%d clients are to connect anew, to other HTTP workers", count)
            self._front.send_away(count)

    def _decide(self, others: Sequence[Sign], now_s: float) -> None:
        if now_s - self._asked_s > _IDLE_EVERY_S:
            self._asked_s = now_s
            self._cores_are_idle = self._idle_cores.since(now_s) > _IDLE_CORES
        idle, many = self._cores_are_idle, self._many
        if are_short(others, now_s, idle, many):
            self._needed_s = now_s
            if not self._front.is_accepting:
                self._tasks.spawn(self._accept())
        elif not would_do(others, self._said, idle, many):
            self._needed_s = now_s
        elif self._front.is_accepting and now_s - self._needed_s > _CALM_S:
            _log.debug("the other HTTP workers do without this one: it takes no connections")
            self._front.rest()

    async def _accept(self) -> None:
        try:
            await self._front.accept()
        except OSError as error:  # the next look tries again
            _log.debug("the other HTTP workers need this one, which cannot help yet: %s", error)
        else:
            _log.debug("the other HTTP workers need this one: it takes connections")
