"""Long answers wait for those who ask for them; nobody else does, and they do not pile up."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event

import numpy as np
import pytest

from tests.core.engine.in_model_process.one_model import sizes
from tfaas_core.engine.in_model_process.answered_rows import RUN_BYTES
from tfaas_core.engine.in_model_process.loop import ServableLoop
from tfaas_core.engine.in_model_process.signed import Signed
from tfaas_core.engine.in_model_process.warming.warmup import Warmed
from tfaas_core.engine.scheduling.pace import Pace
from tfaas_core.engine.scheduling.slow_runs import SlowRuns
from tfaas_core.engine.shared.frames import FrameBuffer, decode_answer, encode_request
from tfaas_core.engine.shared.meter import Meter
from tfaas_core.runtime import LoadOptions
from tfaas_core.tensors import Array, BatchAxis, TensorSpec
from tfaas_core.testing.engine_harness import rows_of
from tfaas_core.testing.function_servable import FunctionServable

WIDTH = 1 << 21
"""Of the answer to a row, in float32."""

OPTIONS = LoadOptions()
MOST_ROWS = RUN_BYTES // (4 * WIDTH)
TOLD, UNTOLD = TensorSpec("y", "float32", (None, WIDTH)), TensorSpec("y", "float32", (None, None))


def wide(rows: Array) -> Array:
    return np.repeat(rows[:, :1], WIDTH, axis=1)


class Asking:
    """A client of a loop, that takes its answers when it is told to."""

    def __init__(self, loop: ServableLoop, servable: FunctionServable) -> None:
        self._signature = servable.signature
        self.sock, theirs = socket.socketpair()
        self.sock.settimeout(60)
        self._buffer = FrameBuffer()
        self._asked = 0
        loop.connect(theirs)

    def ask(self, *numbers: float) -> None:
        """By a frame that has a part for each."""
        parts = [[rows_of(number)] for number in numbers]
        rows, deadline_s = [1] * len(parts), time.monotonic() + 300
        self._asked += 1
        self.sock.sendall(
            encode_request(self._asked, deadline_s, rows, parts, self._signature.inputs)
        )

    def answered(self, parts: int) -> dict[int, float]:
        """What so many parts of the last frame got, of which all values are the same."""
        found: dict[int, float] = {}
        while len(found) < parts:
            for frame in self._buffer.feed(self.sock.recv(1 << 20)):
                answer = decode_answer(frame, self._signature.outputs)
                assert answer.failure is None
                assert answer.id == self._asked
                (output,) = answer.outputs
                assert output.shape == (answer.parts, WIDTH)
                for part, row in enumerate(output, answer.first_part):
                    assert part not in found
                    assert np.all(row == row[0])
                    found[part] = float(row[0])
        return found


@contextmanager
def looping(
    servable: FunctionServable, options: LoadOptions = OPTIONS
) -> Iterator[Callable[[], Asking]]:
    """Gives what makes clients of a loop, which ends when they are gone."""
    over = Event()
    pace, warmed = Pace("normal", SlowRuns.create()), Warmed(servable.signature, mergeable=True)
    loop = ServableLoop([Signed(servable, warmed)], options, Meter.create(1), pace, over.set)
    loop.start()
    clients: list[Asking] = []

    def new() -> Asking:
        clients.append(Asking(loop, servable))
        return clients[-1]

    try:
        yield new
    finally:
        for client in clients:
            client.sock.close()
        loop.unload()
        assert over.wait(60)


@pytest.fixture
def servable() -> FunctionServable:
    return FunctionServable(wide, output=TOLD)


def test_a_client_that_does_not_read_has_no_more_run_for_it_and_others_get_theirs(
    servable: FunctionServable,
) -> None:
    numbers = [float(number) for number in range(3 * MOST_ROWS)]
    with looping(servable) as new:
        slow, other = new(), new()
        slow.ask(*numbers)
        for number in (100.0, 101.0, 102.0):
            other.ask(number)
            assert other.answered(1) == {0: number}
        assert sum(sizes(servable)) <= MOST_ROWS + 3
        assert slow.answered(len(numbers)) == dict(enumerate(numbers))
    assert sum(sizes(servable)) == len(numbers) + 3
    assert max(sizes(servable)) == MOST_ROWS


def test_nor_if_a_run_may_have_fewer_rows_than_that(servable: FunctionServable) -> None:
    numbers = [float(number) for number in range(3 * MOST_ROWS)]
    with looping(servable, LoadOptions(max_batch_rows=2)) as new:
        slow, other = new(), new()
        slow.ask(*numbers)
        for number in (100.0, 101.0, 102.0):
            other.ask(number)
            assert other.answered(1) == {0: number}
        assert sum(sizes(servable)) <= 2 + 3
        assert slow.answered(len(numbers)) == dict(enumerate(numbers))
    assert max(sizes(servable)) == 2


def test_a_client_that_goes_midway_has_no_more_run_for_it(servable: FunctionServable) -> None:
    with looping(servable) as new:
        gone, other = new(), new()
        gone.ask(*map(float, range(3 * MOST_ROWS)))
        gone.sock.recv(1 << 20)
        gone.sock.close()
        for number in (100.0, 101.0):
            other.ask(number)
            assert other.answered(1) == {0: number}
    assert sum(sizes(servable)) == MOST_ROWS + 2


def test_what_is_not_sent_yet_stays_as_it_was_whatever_the_servable_does_with_it() -> None:
    mine = np.zeros((1, WIDTH), np.float32)

    def again(rows: Array) -> Array:
        mine[:] = rows[:, :1]
        return mine

    with looping(FunctionServable(again, output=TOLD)) as new:
        slow, other = new(), new()
        for number in (1.0, 2.0):
            slow.ask(number)
            other.ask(-number)
            assert other.answered(1) == {0: -number}
            assert slow.answered(1) == {0: number}


def test_nor_do_the_made_up_rows_of_a_proof_change_it() -> None:
    mine = np.zeros((1 << 6, WIDTH), np.float32)

    def again(rows: Array) -> Array:
        mine[: len(rows)] = rows[:, :1]
        return mine[: len(rows)]

    any_rows = TensorSpec("x", "float32", None)
    servable = FunctionServable(again, any_rows, output=TOLD, batch=BatchAxis.NONE, by_shape=True)
    with looping(servable) as new:
        slow, other = new(), new()
        slow.ask(1.0)
        assert slow.sock.recv(1, socket.MSG_PEEK)
        other.ask(-1.0, -2.0)
        assert other.answered(2) == {0: -1.0, 1: -2.0}
        assert slow.answered(1) == {0: 1.0}


def test_how_long_answers_are_may_be_known_only_from_the_first() -> None:
    servable = FunctionServable(wide, output=UNTOLD)
    numbers = [float(number) for number in range(3 * MOST_ROWS)]
    with looping(servable) as new:
        client = new()
        for count in (1, len(numbers)):
            client.ask(*numbers[:count])
            assert client.answered(count) == dict(enumerate(numbers[:count]))
    assert sizes(servable) == [1, *[MOST_ROWS] * 3]
