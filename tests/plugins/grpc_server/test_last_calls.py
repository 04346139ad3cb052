"""The last calls of a process that gets no core for a while."""

from __future__ import annotations

import asyncio
import socket
import time

import uvloop
from tfaas_plugins.grpc_server.last_calls import LastCalls

STALLED_S = 0.1
"""Longer than it has to be quiet."""


def test_a_call_that_came_while_the_process_was_stalled_is_heard_before_it_is_quiet() -> None:
    async def heard_when_quiet() -> list[bytes]:
        loop, heard = asyncio.get_running_loop(), list[bytes]()
        stalls, stalling = socket.socketpair()
        client, server = socket.socketpair()

        def stall() -> None:
            loop.remove_reader(stalls)
            time.sleep(STALLED_S)
            client.send(b"a call")

        with stalls, stalling, client, server:
            loop.add_reader(stalls, stall)
            loop.add_reader(server, lambda: heard.append(server.recv(100)))
            stalling.send(b"x")
            await LastCalls().quiet()
            loop.remove_reader(server)
        return heard

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(heard_when_quiet()) == [b"a call"]
