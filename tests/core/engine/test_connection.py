from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tfaas_core.engine.connection import ModelConnection
from tfaas_core.engine.meter import Meter
from tfaas_core.errors import ModelLost
from tfaas_core.testing.engine_harness import eventually, rows_of
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.runtime import SIGNATURE


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[ModelConnection, socket.socket]]:
    """A connection, and the model's side of it."""
    ours, theirs = socket.socketpair()
    lost = asyncio.Event()
    connection = ModelConnection(
        model="vk",
        signature=SIGNATURE,
        mergeable=True,
        meter=Meter.create(1),
        worker=0,
        max_queue_rows=10,
        timeout_s=10,
        on_lost=lambda _connection: lost.set(),
    )
    await asyncio.get_running_loop().create_unix_connection(lambda: connection, sock=ours)
    with theirs:
        yield connection, theirs
    await asyncio.wait_for(lost.wait(), 5)


@in_event_loop
async def test_a_request_after_the_loss_is_lost_at_once() -> None:
    async with connected() as (connection, model):
        model.close()
        await eventually(lambda: connection.lost, "the loss is seen")
        with pytest.raises(ModelLost, match="try again"):
            connection.submit([rows_of(1)], 1)


@in_event_loop
async def test_requests_of_the_turn_in_which_the_model_dies_are_lost() -> None:
    async with connected() as (connection, model):
        model.close()
        answers = [connection.submit([rows_of(number)], 1) for number in range(3)]
        for answer in answers:
            with pytest.raises(ModelLost, match="try again"):
                await answer


@in_event_loop
async def test_closing_ends_requests_that_nobody_will_answer() -> None:
    async with connected() as (connection, _model):
        answer = connection.submit([rows_of(1)], 1)
        await asyncio.sleep(0)
        connection.close()
        with pytest.raises(ModelLost):
            await answer


@in_event_loop
async def test_an_idle_connection_hangs_up_when_it_is_released() -> None:
    async with connected() as (connection, model):
        connection.release()
        assert await asyncio.get_running_loop().sock_recv(_nonblocking(model), 1) == b""


def _nonblocking(sock: socket.socket) -> socket.socket:
    sock.setblocking(False)
    return sock
