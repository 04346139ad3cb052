"""Runs that nobody awaits: who began them is told, beside those who wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

import pytest

from tests.core.engine.in_worker.test_connection import VERSION, answering, connected
from tfaas_core.engine.in_worker.lines import Lines
from tfaas_core.engine.in_worker.model_connections import ModelConnections
from tfaas_core.engine.in_worker.open_connections import OpenConnections
from tfaas_core.errors import ModelLost, QueueFull
from tfaas_core.tensors import Array
from tfaas_core.testing.engine_harness import are_sums, rows_of
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.visit import Timing


class Told:
    """Keeps what it is told, and calls ``then`` at once."""

    def __init__(self, then: Callable[[], None] = lambda: None) -> None:
        self.told: asyncio.Future[list[Array]] = asyncio.get_running_loop().create_future()
        self.is_given_up = False
        self._then = then

    def done(self) -> bool:
        return self.is_given_up or self.told.done()

    def set_rows(self, outputs: list[Array], start: int, end: int) -> None:
        self.told.set_result([output[start:end] for output in outputs])
        self._then()

    def set_result(self, outputs: list[Array]) -> None:
        raise AssertionError("it takes its rows itself")

    def set_exception(self, error: Exception) -> None:
        self.told.set_exception(error)
        self._then()


@in_event_loop
async def test_they_share_runs_with_those_that_are_awaited() -> None:
    async with connected() as (connection, model), answering(model):
        told, given_up, timing = [Told(), Told(), Told()], Told(), Timing()
        connection.begin(told[0], [rows_of(1)], 1, takes_rows=True)
        awaited = connection.submit([rows_of(2, 3)], 2)
        connection.begin(given_up, [rows_of(4)], 1, takes_rows=True)
        connection.begin(told[1], [rows_of(5, 6)], 2, timing=timing, takes_rows=True)
        given_up.is_given_up = True
        assert are_sums(await told[0].told, [rows_of(1)])
        assert are_sums(await awaited, [rows_of(2, 3)])
        assert are_sums(await told[1].told, [rows_of(5, 6)])
        assert not given_up.told.done()
        assert timing.run_s is not None
        connection.begin(told[2], [rows_of(7)], 1, takes_rows=True)
        assert are_sums(await told[2].told, [rows_of(7)])


@in_event_loop
async def test_who_is_told_may_ask_again_at_once_though_no_more_may_wait() -> None:
    async with connected(max_queue_rows=1) as (connection, model), answering(model):
        second = Told()

        def again() -> None:
            connection.begin(second, [rows_of(2)], 1, takes_rows=True)

        first = Told(again)
        connection.begin(first, [rows_of(1)], 1, takes_rows=True)
        with pytest.raises(QueueFull):
            again()
        assert are_sums(await first.told, [rows_of(1)])
        assert are_sums(await second.told, [rows_of(2)])


@in_event_loop
async def test_who_asks_again_when_the_model_dies_is_refused() -> None:
    async with connected() as (connection, model):
        refused: list[ModelLost] = []

        def again() -> None:
            with pytest.raises(ModelLost) as caught:
                connection.begin(Told(), [rows_of(2)], 1, takes_rows=True)
            refused.append(caught.value)

        told = Told(again)
        connection.begin(told, [rows_of(1)], 1, takes_rows=True)
        model.close()
        with pytest.raises(ModelLost):
            await told.told
        assert len(refused) == 1


@in_event_loop
async def test_who_asks_again_when_the_model_dies_is_not_sent_there() -> None:
    known, begun = OpenConnections(Lines(10), 10), []

    def again() -> None:
        begun.append(known.begin(VERSION, [rows_of(2)], 1, Told()))

    async with connected(on_lost=partial(known.forget, VERSION.key, 1)) as (connection, model):
        known.add(VERSION.key, VERSION, 1, connection)
        told = Told(again)
        assert known.begin(VERSION, [rows_of(1)], 1, told)
        model.close()
        with pytest.raises(ModelLost):
            await told.told
    assert begun == [False]


@in_event_loop
async def test_the_least_busy_process_is_asked() -> None:
    async with (
        connected() as (one, one_model),
        connected() as (other, other_model),
        answering(one_model),
        answering(other_model),
    ):
        both = ModelConnections([one, other], max_queue_rows=10)
        told = [Told(), Told()]
        for each in told:
            both.begin(each, [rows_of(1)], 1, takes_rows=True)
        assert [one.meter.rows(), other.meter.rows()] == [1, 1]
        for each in told:
            assert are_sums(await each.told, [rows_of(1)])
