"""Answers of streams: whoever wants to know how much of one was sent is told in any case."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from tfaas_plugins.grpc_server.answering import Answering
from tfaas_plugins.grpc_server.answers import Answers
from tfaas_plugins.grpc_server.arrivals import Arrivals
from tfaas_plugins.grpc_server.gate import Gate
from tfaas_plugins.grpc_server.last_calls import LastCalls

from tfaas_core.testing.hosts import host_of
from tfaas_core.testing.loops import in_event_loop


class Context:
    """A stream, as gRPC's library has it, of a client that has gone from the gate."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def peer(self) -> str:
        return "ipv4:127.0.0.1:1"

    async def write(self, message: bytes) -> None:
        self.written.append(message)

    async def abort(self, code: Any, details: str, trailing_metadata: Any = ()) -> None:
        raise grpc.aio.AbortError


@in_event_loop
async def test_there_is_no_room_for_it() -> None:
    async with host_of() as host:
        in_flight, limits = host.in_flight, host.config.limits
        gate, context, told = Gate(None, limits.head_timeout_s, 9), Context(), list[int]()
        answers, arrivals = Answers(gate, in_flight, limits), Arrivals(1, in_flight, gate)
        answering = Answering(host, gate, arrivals, answers, LastCalls(), 1 << 20)
        most, in_flight.left = in_flight.left, 1
        with pytest.raises(grpc.aio.AbortError):
            await answering.write(b"ab", context, told.append)
        assert (context.written, told, in_flight.left) == ([], [0], 1)
        await answering.write(b"a", context, told.append)
        assert (context.written, told, in_flight.left) == ([b"a"], [0, 0], 1)
        in_flight.left = most
