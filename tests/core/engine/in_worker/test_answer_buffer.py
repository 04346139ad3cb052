"""Long answers of models count as in flight from their heads until nobody has them any more."""

from __future__ import annotations

import asyncio
import gc
import mmap
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.core.engine.in_worker.test_connection import connected
from tfaas_core.engine.in_worker.answer_buffer import AnswerBuffer
from tfaas_core.engine.in_worker.connection import ModelConnection
from tfaas_core.engine.in_worker.parts import Part, Sent
from tfaas_core.engine.shared.frames import (
    FrameBuffer,
    decode_answer,
    decode_request,
    encode_answer,
)
from tfaas_core.errors import DoesNotFit, TooLarge, Unavailable
from tfaas_core.routing.in_flight import CountedBytes, InFlight
from tfaas_core.tensors import Array
from tfaas_core.testing.engine_harness import rows_of
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.runtime import SIGNATURE
from tfaas_core.testing.waiting import eventually

LONG: Array = np.arange(1 << 19, dtype=np.float32).reshape(-1, 1)
FRAME = len(encode_answer(0, 0, 1, [LONG], SIGNATURE.outputs))


@pytest.fixture
def without_collector() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


def resident_bytes() -> int:
    return mmap.PAGESIZE * int(Path("/proc/self/statm").read_text().split()[1])


def asked_of(model: socket.socket) -> int:
    """The id of the one frame that comes next."""
    buffer = FrameBuffer()
    while True:
        for data in buffer.feed(model.recv(1 << 18)):
            return decode_request(data, SIGNATURE.inputs).id


async def answer(
    connection: ModelConnection, model: socket.socket, sizes: Sequence[int]
) -> list[asyncio.Future[list[Array]]]:
    """Asks once for each of so many values, and has the model send them all."""
    answers, frames = [], b""
    model.setblocking(True)
    for size in sizes:
        answers.append(connection.submit([rows_of(1)], 1))
        frame_id = await asyncio.to_thread(asked_of, model)
        frames += encode_answer(frame_id, 0, 1, [LONG[:size]], SIGNATURE.outputs)
    asyncio.get_running_loop().run_in_executor(None, model.sendall, frames)
    return answers


@in_event_loop
async def test_it_counts_until_nobody_has_any_of_it_in_whatever_thread() -> None:
    in_flight = InFlight(3 * FRAME)
    async with connected(in_flight=in_flight) as (connection, model):
        first, second = await answer(connection, model, [len(LONG), len(LONG)])
        (one,), (two,) = await first, await second
        assert np.array_equal(one, LONG)
        assert not one.flags.writeable
        assert FRAME <= in_flight.left <= FRAME + 16  # the fields of sizes do not count
        view = one[5:6]
        del one, first
        assert in_flight.left <= FRAME + 16
        del view
        assert 2 * FRAME <= in_flight.left < 3 * FRAME
        last = [two]
        del two, second
        await asyncio.to_thread(last.clear)
        await eventually(lambda: in_flight.left == in_flight.most_bytes, "all of it is back")


@in_event_loop
async def test_room_is_not_touched_until_it_is_written() -> None:
    # Else the event loop would be held by one that is announced, and the machine's memory taken.
    before = resident_bytes()
    room = InFlight(1 << 28).room(1 << 28)
    assert resident_bytes() - before < len(room) // 4


@pytest.mark.usefixtures("without_collector")
@in_event_loop
async def test_one_without_room_is_read_on_once_there_is_some() -> None:
    in_flight = InFlight(FRAME)
    async with connected(in_flight=in_flight) as (connection, model):
        first, second, short = await answer(connection, model, [len(LONG), len(LONG), 1])
        (one,) = await first
        assert in_flight.left < FRAME // 2
        assert not second.done()
        del one, first
        (two,) = await second
        assert np.array_equal(two, LONG)
        assert np.array_equal((await short)[0], LONG[:1])
        del two, second
        await asyncio.sleep(0)  # it is what the event loop tells of just now
        assert in_flight.left == in_flight.most_bytes  # though nobody looks for garbage


@in_event_loop
async def test_what_never_has_room_or_finds_none_is_passed_over() -> None:
    in_flight = InFlight(FRAME * 3 // 4)
    async with connected(in_flight=in_flight) as (connection, model):
        sizes = [len(LONG), len(LONG) // 2 + 9, 1]
        too_large, second, short = await answer(connection, model, sizes)
        with pytest.raises(TooLarge, match=r"limits\.max_bytes_in_flight"):
            await too_large
        (half,) = await second
        assert np.array_equal(half, LONG[: sizes[1]])
        assert np.array_equal((await short)[0], LONG[:1])
        (none, after) = await answer(connection, model, [sizes[1], 1])
        with pytest.raises(Unavailable, match=r"limits\.max_bytes_in_flight"):
            await none
        assert np.array_equal((await after)[0], LONG[:1])


class NoRoom(InFlight):
    def room(self, size: int) -> CountedBytes:
        raise AssertionError(f"room for {size} bytes is asked for")


@in_event_loop
async def test_what_nobody_waits_for_takes_no_room() -> None:
    async with connected(in_flight=NoRoom(2 * FRAME)) as (connection, model):
        given_up = connection.submit([rows_of(1)], 1)
        frame_id = await asyncio.to_thread(asked_of, model)
        given_up.set_exception(DoesNotFit("its client is gone"))
        assert given_up.exception()
        frame = encode_answer(frame_id, 0, 1, [LONG], SIGNATURE.outputs)
        await asyncio.to_thread(model.sendall, frame)
        (short,) = await answer(connection, model, [1])
        assert np.array_equal((await short)[0], LONG[:1])


@in_event_loop
async def test_nor_does_the_part_of_one_client_that_is_gone_beside_others() -> None:
    async with connected(in_flight=NoRoom(2 * FRAME)) as (connection, model):
        given_up, other = [connection.submit([rows_of(1)], 1) for _ in range(2)]
        frame_id = await asyncio.to_thread(asked_of, model)
        given_up.cancel()
        answers = [
            encode_answer(frame_id, part, 1, [rows], SIGNATURE.outputs)
            for part, rows in enumerate([LONG, LONG[:1]])
        ]
        await asyncio.to_thread(model.sendall, b"".join(answers))
        assert np.array_equal((await other)[0], LONG[:1])


@in_event_loop
async def test_one_that_a_lost_model_began_gives_its_room_back() -> None:
    in_flight = InFlight(FRAME)
    async with connected(in_flight=in_flight) as (connection, model):
        asked = connection.submit([rows_of(1)], 1)
        frame_id = await asyncio.to_thread(asked_of, model)
        frame = encode_answer(frame_id, 0, 1, [LONG], SIGNATURE.outputs)
        model.sendall(frame[:100])
        await eventually(lambda: in_flight.left < FRAME // 2, "it has begun")
    assert asked.exception() is not None
    assert in_flight.left == FRAME


@in_event_loop
async def test_one_that_nobody_waits_for_any_more_gives_its_room_back_and_is_passed_over() -> None:
    in_flight = InFlight(FRAME)
    part = Part([rows_of(1)], 1, False, asyncio.get_running_loop().create_future(), 1, None)
    buffer = AnswerBuffer(in_flight, {7: Sent([part], 0.0, 1, 1)})
    frame = encode_answer(7, 0, 1, [LONG], SIGNATURE.outputs)
    assert not list(buffer.feed(frame[:1000]))
    assert in_flight.left < FRAME // 2
    buffer.forget(7)
    assert in_flight.left == FRAME
    (late,) = buffer.feed(frame[1000:])
    assert decode_answer(late, SIGNATURE.outputs).failure is not None
    assert not buffer.lacks_room
