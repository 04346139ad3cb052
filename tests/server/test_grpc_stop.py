"""Calls of gRPC that end before their answer: by a stop of the server, or by their client."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import grpc

from tests.server.grpc_calls import INFER, address, called, channel_to, infer_message
from tfaas_core.testing.clients import fake_server
from tfaas_core.testing.runtime import HANGS, TRIGGER
from tfaas_core.testing.server import RunningServer
from tfaas_core.testing.waiting import until

PORT = "plugins.grpc.port=0"
ROW = [[1.0, 2.0, 3.0]]
_CHANNELS = 6
_CALLERS = 24
_FIRST = 200
_LAST_S = 30


def test_calls_that_come_during_a_stop_are_answered_or_unavailable(tmp_path: Path) -> None:
    with fake_server(tmp_path, PORT, "server.workers=1") as server:
        assert server.upload("vk", b"sum").status_code == 200
        assert asyncio.run(_ends(server)) == {grpc.StatusCode.UNAVAILABLE}


async def _ends(server: RunningServer) -> set[grpc.StatusCode]:
    """How calls end that are made one after the other, by many, until there is no server."""
    answered = 0
    begun = asyncio.Event()
    message = infer_message("vk", ROW)

    async def call_on(channel: Any) -> grpc.StatusCode:
        nonlocal answered
        while True:
            try:
                await channel.unary_unary(INFER)(message, timeout=_LAST_S)
            except grpc.aio.AioRpcError as error:
                code: grpc.StatusCode = error.code()
                return code
            answered += 1
            if answered == _FIRST:
                begun.set()

    options = [("grpc.use_local_subchannel_pool", 1)]
    channels = [grpc.aio.insecure_channel(address(server), options) for _ in range(_CHANNELS)]
    callers = [asyncio.create_task(call_on(channels[i % _CHANNELS])) for i in range(_CALLERS)]
    await asyncio.wait_for(begun.wait(), _LAST_S)
    assert await asyncio.to_thread(server.stop) == 0
    ends = set(await asyncio.gather(*callers))
    for channel in channels:
        await channel.close()
    return ends


def test_a_cancelled_call_gives_its_memory_back(tmp_path: Path) -> None:
    # No deadline ends the call before it is cancelled.
    settings = "limits.max_bytes_in_flight=100000", "server.request_timeout_s=600"
    with fake_server(tmp_path, PORT, *settings, "server.workers=1") as server:
        assert server.upload("vk", b"sum").status_code == 200
        assert server.upload("busy", b"hang").status_code == 200
        message = infer_message("vk", ROW, id="x" * 60_000)
        with channel_to(server) as channel:
            assert code_of(channel, message) is None
            hanging = infer_message("busy", [[TRIGGER] * 3], id="x" * 60_000)
            waiting = [channel.unary_unary(INFER).future(hanging)]

            def hangs() -> bool:
                if waiting[-1].done():  # the call before it had not given its memory back yet
                    waiting.append(channel.unary_unary(INFER).future(hanging))
                return HANGS in server.log.read_text()

            until(hangs)
            assert code_of(channel, message) is grpc.StatusCode.UNAVAILABLE
            waiting[-1].cancel()
            until(lambda: code_of(channel, message) is None)


def code_of(channel: Any, message: bytes) -> grpc.StatusCode | None:
    """What an infer call ends with; None: an answer."""
    try:
        called(channel, INFER, message)
    except grpc.RpcError as error:
        code: grpc.StatusCode = error.code()
        return code
    return None
