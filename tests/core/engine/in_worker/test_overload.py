"""Asked for four times what it can do, a model does as much as ever, and few wait for long."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from statistics import quantiles

import pytest

from tests.core.engine.in_worker.test_connection import connected
from tfaas_core.engine.in_worker.connection import ModelConnection
from tfaas_core.engine.shared.frames import FrameBuffer, decode_request, encode_answer
from tfaas_core.errors import QueueFull
from tfaas_core.testing.engine_harness import rows_of
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.runtime import SIGNATURE

MAX_WAIT_S = 1.0
ROW_S = 0.004
"""So long that asking for four times as much takes a small part of a core, of a slow one, too."""
TICK_S = 0.005
LOAD = 4
LASTS_S = 4.0


class SlowModel:
    """Answers frames in turn, and takes ``ROW_S`` for each row. ``busy_s``: for how long it did."""

    def __init__(self, sock: socket.socket) -> None:
        self.busy_s = 0.0
        self._sock = sock
        self.thread = threading.Thread(target=self._answer)
        self.thread.start()

    def _answer(self) -> None:
        buffer = FrameBuffer()
        while data := self._sock.recv(1 << 18):
            for sent in buffer.feed(data):
                frame = decode_request(sent, SIGNATURE.inputs)
                begin_s = time.monotonic()
                time.sleep(ROW_S * len(frame.inputs[0]))  # what it computes
                self.busy_s += time.monotonic() - begin_s
                sums = frame.inputs[0].sum(axis=1, keepdims=True)
                parts = len(frame.part_rows)
                self._sock.sendall(encode_answer(frame.id, 0, parts, [sums], SIGNATURE.outputs))


@pytest.mark.alone
@in_event_loop
async def test_four_times_the_load_is_shed_and_not_queued() -> None:
    took_s: list[float] = []
    refused = 0

    async def ask(connection: ModelConnection) -> None:
        begin_s = time.monotonic()
        await connection.submit([rows_of(1)], 1)
        took_s.append(time.monotonic() - begin_s)

    async with connected(max_wait_s=MAX_WAIT_S) as (connection, sock):
        model = SlowModel(sock)
        asked: list[asyncio.Task[None]] = []
        begin_s = time.monotonic()
        due = 0.0
        while (now_s := time.monotonic() - begin_s) < LASTS_S:
            due = LOAD * now_s / ROW_S
            while len(asked) < due:
                asked.append(asyncio.create_task(ask(connection)))
            await asyncio.sleep(TICK_S)
        busy_s = model.busy_s
        for answer in await asyncio.gather(*asked, return_exceptions=True):
            refused += isinstance(answer, QueueFull)
        connection.close()
        await asyncio.to_thread(model.thread.join)
    assert refused > len(asked) / 2
    assert busy_s > 0.9 * LASTS_S
    # Without shedding, the last would wait for ten times as long. A busy machine adds to it.
    assert quantiles(took_s, n=100)[98] < 3 * MAX_WAIT_S
