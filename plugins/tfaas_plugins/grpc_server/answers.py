"""Answers: those that clients have still to take, and what becomes of clients that do not."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

import msgspec

from tfaas_core.routing.in_flight import InFlight
from tfaas_core.settings.tables import Limits
from tfaas_plugins.grpc_server.connection import Connection
from tfaas_plugins.grpc_server.gate import Gate

_LOOKS = 8
"""In each window. An answer that has waited only because this process is busy is gone by then."""

_LAG_BYTES = 1 << 18
"""What the library has said lately, the gate may not have read yet."""

_log = logging.getLogger("tfaas.grpc")


class _Answer(msgspec.Struct, eq=False):
    """``taken_bytes``: what the connection had taken ``looks`` ago."""

    connection: Connection
    size: int
    begin_s: float
    taken_bytes: int
    looks: int = 0


class Answers:
    """Has each answer have room until its client has taken it, and cuts connections that do not.

    gRPC's library keeps an answer until then, or until the connection ends, whatever becomes of the
    call. It tells nobody how much of it has gone; so what counts is what the connection takes.
    """

    def __init__(self, gate: Gate, in_flight: InFlight, limits: Limits) -> None:
        self._gate = gate
        self._in_flight = in_flight
        self._window_s = limits.pace_window_s
        # Who takes nothing at all is too slow in any case.
        self._bytes_per_s = max(limits.min_bytes_per_s, 1 / limits.pace_window_s)
        self._waiting: dict[int, _Answer] = {}
        self._last = 0

    def keep(self, size: int, peer: str) -> Callable[[bool], int]:
        """One of ``size`` bytes is there; what is returned is called once it is gone.

        That is told whether gRPC's library counts it as sent, and tells how much of it the client
        has taken, unless other answers went the same way. Raises Unavailable if there is no room
        for it.
        """
        self._in_flight.check_room(size)
        self._in_flight.left -= size
        self._last = number = self._last + 1
        connection = self._gate.at(peer)
        taken = said = 0
        if connection is not None:
            taken, said = connection.taken_bytes, connection.said_bytes
            self._waiting[number] = _Answer(connection, size, time.monotonic(), taken)

        def give_back(was_sent: bool) -> int:
            self._in_flight.give_back(size)
            self._waiting.pop(number, None)
            if connection is None:
                return 0
            # Also what its client has given up, or is gone from, the library may count as sent.
            is_whole = connection.said_bytes - said > size - _LAG_BYTES
            if was_sent and is_whole and self._gate.at(peer) is connection:
                return size
            return min(size, connection.taken_bytes - taken)

        return give_back

    async def watch(self) -> None:
        """Looks at those that wait, until it is cancelled."""
        while True:
            await asyncio.sleep(self._window_s / _LOOKS)
            late = {each.connection for each in self._waiting.values() if self._is_late(each)}
            for connection in late:
                connection.cut()
            if late:
                _log.info("clients that took too little of their answers were cut: %d", len(late))

    def _is_late(self, answer: _Answer) -> bool:
        """Whether it was not taken at the least pace, or others were instead."""
        answer.looks += 1
        if answer.looks <= _LOOKS:
            return False
        taken = answer.connection.taken_bytes - answer.taken_bytes
        answer.looks, answer.taken_bytes = 0, answer.connection.taken_bytes
        ends_s = answer.begin_s + self._window_s + answer.size / self._bytes_per_s
        least = min(answer.size, self._bytes_per_s * self._window_s)
        return taken < least or time.monotonic() > ends_s
