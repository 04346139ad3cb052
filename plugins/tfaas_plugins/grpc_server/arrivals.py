"""Arrivals: how many calls there are, and whose messages are still to come when it is too many."""

from __future__ import annotations

import asyncio
import ctypes
import itertools
import logging
import os
import time
from collections import OrderedDict, defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from tfaas_core.errors import TfaasError, Unavailable
from tfaas_core.routing.in_flight import InFlight
from tfaas_plugins.grpc_server.connection import Connection
from tfaas_plugins.grpc_server.gate import Gate
from tfaas_plugins.grpc_server.messages import LeastPace, Messages

_LOOK_S = 0.2
_LOOKS_LATELY = 50
_SETTLED_S = 0.5
"""Who is told to go has gone then."""

_LEAST_BYTES = 1 << 26
"""A process may grow by so much without anybody's doing."""

_LEAST_S = 1.0
"""Who has had less time to send a message is left alone."""

_PAGE_BYTES = os.sysconf("SC_PAGESIZE")
_STATM = Path("/proc/self/statm")

_log = logging.getLogger("tfaas.grpc")

_Why: TypeAlias = Callable[[], TfaasError]


class _Waiting(msgspec.Struct, eq=False):
    """A call that waits for a message. ``must_come``: it cannot do without."""

    since_s: float
    connection: Connection | None
    must_come: bool
    looks: int = 0


class Arrivals:
    """Counts calls, and ends the oldest of those whose message has not come, if it has to.

    Such a message may be half there: gRPC's library keeps it, and tells nobody how much that is. So
    whoever sends none must make room for others, and all must if the process grows by more than the
    bodies of requests may take. Then the connections end, too, that have sent most of what nobody
    has read: there may be calls in the library that nobody knows of.
    """

    def __init__(self, most_calls: int, in_flight: InFlight, gate: Gate) -> None:
        self._gate = gate
        self._most_calls = most_calls
        self._in_flight = in_flight
        self._calls = 0
        self._waiting: OrderedDict[asyncio.Task[Any], _Waiting] = OrderedDict()
        self._ended: dict[asyncio.Task[Any], _Why] = {}
        self._usual_bytes = 0

    def enter(self) -> None:
        """One call more. Raises Unavailable if there are too many, none of which can be ended."""
        if self._calls >= self._most_calls and not self._end_oldest():
            raise Unavailable(
                f"this HTTP worker has the {self._most_calls} calls that it may have "
                "(limits.max_connections); try again"
            )
        self._calls += 1

    def leave(self) -> None:
        """A call is over."""
        self._calls -= 1

    async def message(
        self, read: Callable[[], Awaitable[Any]], connection: Connection | None, must_come: bool
    ) -> Any:
        """What ``read`` gives, once it is there.

        Raises Unavailable if it has to make room, or why it was refused.
        """
        task = asyncio.current_task()
        assert task is not None
        self._waiting[task] = _Waiting(time.monotonic(), connection, must_come)
        try:
            return await read()
        except asyncio.CancelledError:
            if task not in self._ended:
                raise
            task.uncancel()
            raise self._ended[task]() from None
        finally:
            self._waiting.pop(task, None)
            self._ended.pop(task, None)

    def refuse(self, connection: Connection, why: _Why) -> None:
        """Ends the calls of a connection that wait for a message.

        ``why``, here as below, makes an error for each, which keeps what it was raised through.
        """
        waiting = self._waiting.items()
        for task in [task for task, each in waiting if each.connection is connection]:
            self._end(task, why)

    def refuse_silent(self, least: LeastPace, why: _Why) -> None:
        """Ends calls whose message has not come.

        Called once in ``least.look_s``, it counts itself. Which call a message is for, gRPC's
        library tells only once it is whole: so as many are left as are on their way, those that
        asked last, and one that has begun may be among those that end. And of many at once, the
        last may have to wait until the link has room: so are as many as it is quick enough for.
        """
        late: dict[Connection, list[asyncio.Task[Any]]] = defaultdict(list)
        for task, each in self._waiting.items():
            if each.must_come and each.connection is not None and each.connection.waits:
                each.looks += 1
                if each.looks > least.window_looks:
                    late[each.connection].append(task)
        silent = [
            task
            for connection, tasks in late.items()
            for task in tasks[: max(0, len(tasks) - _left(connection.messages, least))]
        ]
        for task in silent:
            self._end(task, why)

    async def watch(self) -> None:
        """Looks at the memory of the process, until it is cancelled."""
        with suppress(OSError):  # no Linux, and nothing to look at
            self._usual_bytes = _own_bytes()
            most_bytes = max(self._in_flight.most_bytes, _LEAST_BYTES)
            for look in itertools.count(1):
                await asyncio.sleep(_LOOK_S)
                if look % _LOOKS_LATELY == 0:
                    self._gate.look()
                if (unknown := self._unknown_bytes()) > most_bytes:
                    self._make_room(unknown)
                    await asyncio.sleep(_SETTLED_S)
                    await asyncio.to_thread(_give_back_memory)
                    # What stays though they are gone is not theirs.
                    self._usual_bytes += max(0, self._unknown_bytes())

    def _unknown_bytes(self) -> int:
        """By how much the process has grown, but for bodies of requests."""
        known = self._in_flight.most_bytes - self._in_flight.left
        return _own_bytes() - self._usual_bytes - known

    def _make_room(self, unknown: int) -> None:
        before_s = time.monotonic() - _LEAST_S
        late = [task for task, each in self._waiting.items() if each.since_s < before_s]
        for task in late:
            self._end(task, _room_is_needed)
        _log.warning(
            "messages that are still to come have taken %d MB; %d calls and %d connections were "
            "ended",
            unknown // 1_000_000,
            len(late),
            self._gate.end_fullest(),
        )

    def _end_oldest(self) -> bool:
        if not self._waiting:
            return False
        oldest, waiting = next(iter(self._waiting.items()))
        if waiting.since_s > time.monotonic() - _LEAST_S:
            return False
        self._end(oldest, _room_is_needed)
        return True

    def _end(self, task: asyncio.Task[Any], why: _Why) -> None:
        del self._waiting[task]
        self._ended[task] = why
        task.cancel()


def _left(messages: Messages, least: LeastPace) -> int:
    return max(messages.open, messages.paced(least))


def _room_is_needed() -> Unavailable:
    return Unavailable("the message did not come, and others need the room")


def _give_back_memory() -> None:
    """Returns to the system what the C library keeps of it, if that is GNU's."""
    if (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)) is not None:
        trim(0)


def _own_bytes() -> int:
    resident, shared = _STATM.read_text().split()[1:3]
    return (int(resident) - int(shared)) * _PAGE_BYTES
