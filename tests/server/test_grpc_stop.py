"""A stop of gRPC amid calls."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import grpc

from tests.server.grpc_calls import INFER, address, infer_message
from tfaas_core.testing.clients import fake_server
from tfaas_core.testing.server import RunningServer

_CHANNELS = 6
_CALLERS = 24
_FIRST = 200
_LAST_S = 30


def test_calls_that_come_during_a_stop_are_answered_or_unavailable(tmp_path: Path) -> None:
    with fake_server(tmp_path, "plugins.grpc.port=0", "server.workers=1") as server:
        assert server.upload("vk", b"sum").status_code == 200
        assert asyncio.run(_ends(server)) == {grpc.StatusCode.UNAVAILABLE}


async def _ends(server: RunningServer) -> set[grpc.StatusCode]:
    """How calls end that are made one after the other, by many, until there is no server."""
    answered = 0
    begun = asyncio.Event()
    message = infer_message("vk", [[1.0, 2.0, 3.0]])

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
