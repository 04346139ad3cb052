from __future__ import annotations

import asyncio
import select
import socket
import threading
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from tfaas_core.engine.in_worker.connection import ModelConnection
from tfaas_core.engine.scheduling.busy_poll import BusyPoll, Solo
from tfaas_core.engine.shared.frames import (
    FrameBuffer,
    decode_request,
    encode_answer,
    encode_failure,
)
from tfaas_core.engine.shared.meter import Meter
from tfaas_core.engine.shared.slots import SharedSlots
from tfaas_core.errors import DoesNotFit, ModelLost
from tfaas_core.routing.in_flight import InFlight
from tfaas_core.testing.engine_harness import are_sums, rows_of
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.models import model_version
from tfaas_core.testing.runtime import SIGNATURE
from tfaas_core.testing.waiting import eventually

VERSION = model_version(SIGNATURE.inputs, SIGNATURE.outputs, batch=SIGNATURE.batch)


@asynccontextmanager
async def connected(
    busy_poll_s: float = 0.0,
    solo: Solo | None = None,
    max_wait_s: float = 0.0,
    max_queue_rows: int = 1_000_000,
    on_lost: Callable[[ModelConnection], object] = lambda _connection: None,
    in_flight: InFlight | None = None,
    timeout_s: float = 10,
    slots: SharedSlots | None = None,
) -> AsyncIterator[tuple[ModelConnection, socket.socket]]:
    """A connection, and the model's side of it."""
    ours, theirs = socket.socketpair()
    lost = asyncio.Event()

    def is_lost(connection: ModelConnection) -> None:
        on_lost(connection)
        lost.set()

    connection = ModelConnection(
        sock=ours,
        solo=solo or Solo(quiet_s=0),
        version=VERSION,
        meter=Meter.create(1),
        worker=0,
        max_queue_rows=max_queue_rows,
        timeout_s=timeout_s,
        in_flight=in_flight or InFlight(1 << 30),
        busy_poll=BusyPoll(busy_poll_s),
        on_lost=is_lost,
        max_wait_s=max_wait_s,
        slots=slots,
    )
    await asyncio.get_running_loop().create_unix_connection(lambda: connection, sock=ours)
    with theirs:
        yield connection, theirs
    await asyncio.wait_for(lost.wait(), 30)


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
async def test_a_request_that_cannot_be_sent_fails_and_the_next_is_answered() -> None:
    async with connected() as (connection, model), answering(model):
        for _turn in range(2):
            with pytest.raises(AttributeError):
                await connection.submit(["no array"], 1)  # type: ignore[list-item]
            assert are_sums(await connection.submit([rows_of(1)], 1), [rows_of(1)])
        # Of the million rows that may wait, it takes none away.
        rows = rows_of(*range(1_000_000))
        assert are_sums(await connection.submit([rows], len(rows)), [rows])


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


@in_event_loop
async def test_large_inputs_are_gone_once_they_are_sent() -> None:
    async with connected() as (connection, model):
        rows = rows_of(*range(1000))
        inputs, answer = weakref.ref(rows), connection.submit([rows], len(rows))
        del rows
        await asyncio.sleep(0)
        assert inputs() is None
        async with answering(model):
            assert are_sums(await answer, [rows_of(*range(1000))])


@in_event_loop
async def test_a_lone_request_to_a_fast_model_is_answered_within_its_turn() -> None:
    async with connected(busy_poll_s=5) as (connection, model), answering(model):
        for _ in range(2):  # the first is no proof that others do not send, the second is fast
            assert are_sums(await connection.submit([rows_of(1)], 1), [rows_of(1)])
        answer = connection.submit([rows_of(2)], 1)
        await asyncio.sleep(0)  # the turn in which it is sent
        assert answer.done()
        assert are_sums(answer.result(), [rows_of(2)])


@in_event_loop
async def test_a_request_beside_those_to_another_model_is_not_waited_for() -> None:
    solo = Solo(quiet_s=60)
    async with (
        connected(busy_poll_s=5, solo=solo) as (connection, model),
        connected(busy_poll_s=5, solo=solo) as (neighbour, other_model),
        answering(model),
        answering(other_model),
    ):
        for either in (connection, neighbour) * 3:
            answer = either.submit([rows_of(2)], 1)
            await asyncio.sleep(0)
            assert not answer.done()
            assert are_sums(await answer, [rows_of(2)])


@in_event_loop
async def test_a_request_right_behind_several_is_not_waited_for() -> None:
    async with (
        connected(busy_poll_s=5, solo=Solo(quiet_s=1)) as (connection, model),
        answering(model),
    ):
        for _ in range(2):  # as above
            await connection.submit([rows_of(1)], 1)
        both = [connection.submit([rows_of(number)], 1) for number in (2, 3)]
        assert are_sums(await both[0], [rows_of(2)])
        assert are_sums(await both[1], [rows_of(3)])
        answer = connection.submit([rows_of(4)], 1)
        await asyncio.sleep(0)
        assert not answer.done()
        assert are_sums(await answer, [rows_of(4)])


@in_event_loop
async def test_a_lone_request_whose_answer_does_not_come_soon_holds_up_no_others() -> None:
    async with connected(busy_poll_s=0.1) as (connection, model):
        async with answering(model):
            for _ in range(2):
                await connection.submit([rows_of(1)], 1)
        late = connection.submit([rows_of(2)], 1)
        await asyncio.sleep(0)
        assert not late.done()
        other = connection.submit([rows_of(3)], 1)
        async with answering(model):
            assert are_sums(await late, [rows_of(2)])
            assert are_sums(await other, [rows_of(3)])


@in_event_loop
async def test_a_lone_request_may_be_larger_than_what_the_socket_takes() -> None:
    rows = rows_of(*range(200_000))
    async with connected(busy_poll_s=5) as (connection, model), answering(model):
        for _ in range(2):  # as above
            await connection.submit([rows_of(1)], 1)
        large = connection.submit([rows], len(rows))
        await asyncio.sleep(0)
        small = connection.submit([rows_of(1)], 1)
        assert are_sums(await large, [rows])
        assert are_sums(await small, [rows_of(1)])


@in_event_loop
async def test_a_burst_after_a_long_stall_of_one_is_taken_whole() -> None:
    async with connected(max_wait_s=0.001) as (connection, model):
        for _ in range(2):
            stalled = connection.submit([rows_of(1)], 1)
            await asyncio.sleep(0.01)
            assert not stalled.done()
            async with answering(model):
                await stalled
        burst = [rows_of(number) for number in range(3)]
        async with answering(model):
            answers = [connection.submit([rows], 1) for rows in burst]
            for answer, rows in zip(answers, burst, strict=True):
                assert are_sums(await answer, [rows])
        connection.close()


@pytest.mark.parametrize("parts", [1, 2])
@in_event_loop
async def test_a_model_that_answers_a_request_twice_leaves_no_other_without_an_error(
    parts: int,
) -> None:
    async with connected() as (connection, model):
        answers = [connection.submit([rows_of(number)], 1) for number in (1, 2)]
        await asyncio.sleep(0)
        (data,) = FrameBuffer().feed(model.recv(1 << 18))
        asked = decode_request(data, SIGNATURE.inputs)
        model.sendall(
            encode_answer(asked.id, 0, 1, [rows_of(1)[:, :1]], SIGNATURE.outputs)
            + encode_answer(asked.id, 0, parts, [rows_of(*range(parts))[:, :1]], SIGNATURE.outputs)
        )
        assert (await answers[0])[0].shape == (1, 1)
        with pytest.raises(ModelLost):
            await answers[1]


@in_event_loop
async def test_a_model_that_answers_rubbish_within_the_turn_is_lost_at_once() -> None:
    async with connected(busy_poll_s=5) as (connection, model):
        async with answering(model):
            for _ in range(2):  # as above
                await connection.submit([rows_of(1)], 1)
        model.sendall(encode_failure(1 << 31, 0, 1, DoesNotFit("nobody asked")))
        with pytest.raises(ModelLost):
            await connection.submit([rows_of(2)], 1)


@asynccontextmanager
async def answering(model: socket.socket) -> AsyncIterator[None]:
    """The model answers sums, in a thread, until the last request of the block is answered."""
    over, wake = socket.socketpair()
    with over, wake:
        thread = threading.Thread(target=_answer, args=(model, over))
        thread.start()
        try:
            yield
        finally:
            wake.send(b"!")
            await asyncio.to_thread(thread.join)


def _answer(model: socket.socket, over: socket.socket) -> None:
    buffer = FrameBuffer()
    while True:
        ready, _, _ = select.select([model, over], [], [])
        if model not in ready:
            return
        for data in buffer.feed(model.recv(1 << 18)):
            frame = decode_request(data, SIGNATURE.inputs)
            sums = frame.inputs[0].sum(axis=1, keepdims=True)
            parts = len(frame.part_rows)
            model.sendall(encode_answer(frame.id, 0, parts, [sums], SIGNATURE.outputs))


def _nonblocking(sock: socket.socket) -> socket.socket:
    sock.setblocking(False)
    return sock
