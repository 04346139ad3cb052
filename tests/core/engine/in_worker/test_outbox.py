"""Large inputs that find no room in the memory shared with a model wait for it."""

from __future__ import annotations

import asyncio
import os
import select
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import pytest

from tests.core.engine.in_worker.test_connection import connected
from tfaas_core.engine.in_worker.connection import ModelConnection
from tfaas_core.engine.shared.frames import (
    FrameBuffer,
    RequestFrame,
    decode_request,
    encode_answer,
    values_of_request,
)
from tfaas_core.engine.shared.slots import HALF_BYTES, SharedSlots, new_slots
from tfaas_core.errors import DeadlinePassed, ModelLost
from tfaas_core.tensors import Array
from tfaas_core.testing.engine_harness import is_sum, rows_of
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.runtime import SIGNATURE
from tfaas_core.testing.waiting import eventually

ROWS = (HALF_BYTES // 4) // 12
"""Of a request of which four have room."""


class Model:
    """The servable's end, which reads frames when it is told to."""

    def __init__(self, sock: socket.socket, slots: SharedSlots) -> None:
        self._sock = sock
        self._slots = slots
        self._buffer = FrameBuffer()
        self.longest = 0
        self.frames: list[RequestFrame] = []

    async def came(self, count: int) -> None:
        """Waits until there are so many frames that are not answered."""

        def some() -> bool:
            self.look()
            return len(self.frames) >= count

        await eventually(some, f"{count} frames came")
        assert len(self.frames) == count

    def look(self) -> None:
        """Reads what is there."""
        while select.select([self._sock], [], [], 0)[0]:
            for data in self._buffer.feed(self._sock.recv(1 << 18)):
                self.longest = max(self.longest, len(data))
                values = values_of_request(data, self._slots.reader)
                self.frames.append(decode_request(data, SIGNATURE.inputs, values))

    def answer(self) -> list[Array]:
        """Answers the first one; gives its inputs, whose slot is taken for as long as they are."""
        frame = self.frames.pop(0)
        sums = frame.inputs[0].sum(axis=1, keepdims=True)
        parts, writer = len(frame.part_rows), self._slots.writer
        given = (frame.id, 0, parts, [sums], SIGNATURE.outputs, 0.0, -1, writer)
        self._sock.sendall(encode_answer(*given))
        return frame.inputs


@asynccontextmanager
async def sharing(timeout_s: float = 30) -> AsyncIterator[tuple[ModelConnection, Model]]:
    descriptor = new_slots()
    ours = SharedSlots(os.dup(descriptor), is_servable=False)
    async with connected(slots=ours, timeout_s=timeout_s, max_queue_rows=1 << 30) as (
        connection,
        sock,
    ):
        yield connection, Model(sock, SharedSlots(descriptor, is_servable=True))


def large(*sums: float) -> list[Array]:
    """A request for each number, whose first row begins with it."""
    found = []
    for each in sums:
        rows = np.zeros((ROWS, 3), np.float32)
        rows[0, 0] = each
        found.append(rows)
    return found


async def turns() -> None:
    """Several of the event loop, and some time."""
    for _ in range(5):
        await asyncio.sleep(0.005)


@in_event_loop
async def test_what_finds_no_room_waits_for_an_answer_and_keeps_its_order() -> None:
    async with sharing() as (connection, model):
        requests = large(*range(7))
        answers = [connection.submit([rows], ROWS, whole=True) for rows in requests]
        last = connection.submit([rows_of(7)], 1, whole=True)
        await model.came(4)
        await turns()
        await model.came(4)
        for left in (4, 4, 5, 4, 3, 2, 1):
            model.answer()
            await model.came(left)
        model.answer()
        for answer, rows in zip([*answers, last], [*requests, rows_of(7)], strict=True):
            assert is_sum((await answer)[0], rows)
        assert model.longest < 1000


@in_event_loop
async def test_requests_of_a_turn_that_are_more_than_all_room_come_in_several_frames() -> None:
    async with sharing() as (connection, model):
        requests = [rows_of(*range(ROWS // 8)) for _ in range(60)]
        answers = [connection.submit([rows], len(rows)) for rows in requests]
        while not all(answer.done() for answer in answers):
            model.look()
            while model.frames:
                model.answer()
            await asyncio.sleep(0)
        for answer, rows in zip(answers, requests, strict=True):
            assert is_sum((await answer)[0], rows)
        assert model.longest < 1000


@in_event_loop
async def test_room_that_a_model_makes_after_its_answer_is_found() -> None:
    async with sharing() as (connection, model):
        answers = [connection.submit([rows], ROWS, whole=True) for rows in large(*range(5))]
        await model.came(4)
        kept = model.answer()
        await answers[0]
        del kept
        await model.came(4)
        assert model.longest < 1000
        for _ in range(4):
            model.answer()
        await asyncio.gather(*answers)


@in_event_loop
async def test_what_a_model_keeps_holds_up_nobody_for_long() -> None:
    async with sharing() as (connection, model):
        answers = [connection.submit([rows], ROWS, whole=True) for rows in large(*range(5))]
        await model.came(4)
        kept = [model.answer() for _ in range(4)]
        await model.came(1)
        assert model.longest > ROWS * 12
        model.answer()
        await asyncio.gather(*answers)
        assert len(kept) == 4


@in_event_loop
async def test_what_waits_too_long_is_told_so_and_is_not_sent() -> None:
    async with sharing(timeout_s=0.3) as (connection, model):
        answers = [connection.submit([rows], ROWS, whole=True) for rows in large(*range(6))]
        await model.came(4)
        for answer in answers:
            with pytest.raises(DeadlinePassed):
                await answer
        await eventually(lambda: connection.rows() == 4 * ROWS, "two are no longer in flight")
        for _ in range(4):
            model.answer()
        await eventually(lambda: connection.rows() == 0, "nothing is in flight")
        model.look()
        assert not model.frames


@in_event_loop
async def test_what_waits_is_lost_with_the_model() -> None:
    async with sharing() as (connection, model):
        answers = [connection.submit([rows], ROWS, whole=True) for rows in large(*range(6))]
        await model.came(4)
        connection.close()
        for answer in answers:
            with pytest.raises(ModelLost):
                await answer


@in_event_loop
async def test_a_released_connection_hangs_up_behind_what_waits() -> None:
    async with sharing() as (connection, model):
        answers = [connection.submit([rows], ROWS, whole=True) for rows in large(*range(6))]
        await model.came(4)
        connection.release()
        answers[5].cancel()
        for left in (4, 3, 2, 1):
            model.answer()
            await model.came(left)
        assert not connection.lost
        model.answer()
        await connection.closed()
        for answer, rows in zip(answers[:5], large(*range(5)), strict=True):
            assert is_sum((await answer)[0], rows)
