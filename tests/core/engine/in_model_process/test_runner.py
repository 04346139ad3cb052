from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from tests.core.engine.in_model_process.one_model import client, sizes, slow_sums, sums
from tfaas_core.engine.in_model_process.accelerating.accelerated import AcceleratedServable
from tfaas_core.errors import DeadlinePassed, DoesNotFit
from tfaas_core.runtime import FastModel
from tfaas_core.tensors import Array, BatchAxis, TensorSpec
from tfaas_core.testing.engine_harness import are_sums, is_sum, rows_of
from tfaas_core.testing.function_servable import FunctionServable
from tfaas_core.testing.loops import in_event_loop


@in_event_loop
async def test_a_model_of_one_row_at_a_time_answers_many(tmp_path: Path) -> None:
    servable = FunctionServable(sums, TensorSpec("x", "float32", (1, 3)), batch=BatchAxis.ONE)
    requests = [rows_of(*range(number)) for number in (1, 5, 2)]
    async with client(tmp_path, servable) as one:
        answers = await asyncio.gather(*map(one.ask, requests))
    assert all(map(is_sum, answers, requests))
    assert sizes(servable) == [1] * 8


@in_event_loop
async def test_a_model_of_whole_tensors_takes_them_whole(tmp_path: Path) -> None:
    specs = TensorSpec("x", "float32", (None, 2)), TensorSpec("rate", "float32", ())
    servable = FunctionServable(lambda x, rate: x.sum() * rate, *specs, batch=BatchAxis.NONE)
    async with client(tmp_path, servable, "engine.max_batch_rows=2") as one:
        asking = [one.ask(np.ones((n, 2), np.float32), np.array(n, np.float32)) for n in range(6)]
        answers = await asyncio.gather(*asking)
    assert [float(answer) for answer in answers] == [0, 2, 8, 18, 32, 50]


@in_event_loop
async def test_rows_that_a_model_of_one_row_answers_unequally_are_refused(tmp_path: Path) -> None:
    specs = TensorSpec("x", "float32", (1, 3)), TensorSpec("found", "float32", (1, None))
    servable = FunctionServable(
        lambda rows: rows[:, rows[0] > 0], specs[0], output=specs[1], batch=BatchAxis.ONE
    )
    rows = np.array([[1, 2, 3], [4, -1, -1], [5, 6, 7]], np.float32)
    async with client(tmp_path, servable) as one:
        for _turn in range(2):
            error = await one.ask(rows)
            assert type(error) is DoesNotFit
            assert error.message == (
                "the model answers row 0 with 3 values of 'found' and row 1 with 1 value: send "
                "them one at a time"
            )
            assert (await one.ask(rows[1:2])).tolist() == [[4]]
            assert (await one.ask(rows[::2])).tolist() == [[1, 2, 3], [5, 6, 7]]


@in_event_loop
async def test_no_rows_at_all_need_no_run_of_a_model_of_one(tmp_path: Path) -> None:
    specs = TensorSpec("x", "float32", (1, 3)), TensorSpec("y", "float32", (1, None, 2))
    servable = FunctionServable(
        lambda rows: rows[:, :, None] * np.ones(2, np.float32),
        specs[0],
        output=specs[1],
        batch=BatchAxis.ONE,
    )
    async with client(tmp_path, servable) as one:
        for whole in (False, True):
            answer = await one.ask(rows_of(), whole=whole)
            assert (answer.shape, answer.dtype) == ((0, 0, 2), np.float32)
    assert servable.runs == []


@in_event_loop
async def test_a_model_of_one_row_stops_where_nobody_waits_any_more(tmp_path: Path) -> None:
    specs = TensorSpec("x", "float32", (1, 3)), TensorSpec("y", "float32", (1, 1))
    servable = FunctionServable(slow_sums, specs[0], output=specs[1], batch=BatchAxis.ONE)
    async with client(tmp_path, servable, "server.request_timeout_s=1") as one:
        assert type(await one.ask(rows_of(*range(1000)))) is DeadlinePassed
        assert is_sum(await one.ask(rows_of(1)), rows_of(1))
    assert len(servable.runs) < 100


@in_event_loop
async def test_a_request_that_runs_alone_is_answered_whole(tmp_path: Path) -> None:
    positive = FunctionServable(lambda rows: rows[rows[:, 0] > 0], proven=False)
    async with client(tmp_path, positive, batch={"axis": "free"}) as one:
        for numbers in ([-1, 1, 2], [-1], [1], [1, 2]):
            rows = rows_of(*numbers)
            assert (await one.ask(rows)).tolist() == rows[rows[:, 0] > 0].tolist()


@in_event_loop
async def test_a_request_that_is_cut_is_run_whole_where_rows_do_not_answer_rows(
    tmp_path: Path,
) -> None:
    positive = FunctionServable(lambda rows: rows[rows[:, 0] > 0])
    told = {"axis": "free", "merge": True}
    async with client(tmp_path, positive, "engine.max_batch_rows=2", batch=told) as one:
        rows = rows_of(1, 2, -3, 4, 5)
        assert (await one.ask(rows)).tolist() == rows[[0, 1, 3, 4]].tolist()
    assert sizes(positive)[-1] == 5


@in_event_loop
async def test_whole_requests_are_run_as_they_came(tmp_path: Path) -> None:
    servable = FunctionServable(slow_sums)
    requests = [rows_of(*range(size)) for size in (1, 0, 9, 1, 1)]
    async with client(tmp_path, servable, "engine.max_batch_rows=4") as one:
        asking = [one.ask(request, whole=index != 1) for index, request in enumerate(requests)]
        assert are_sums(await asyncio.gather(*asking), requests)
        assert are_sums(await one.ask_all(requests, whole=True), requests)
    assert sorted(sizes(servable)) == sorted([1, 0, 9, 1, 1] * 2)


@in_event_loop
async def test_the_inputs_of_a_whole_request_may_have_different_first_axes(tmp_path: Path) -> None:
    specs = TensorSpec("query", "float32", (None, 3)), TensorSpec("items", "float32", (None, 3))
    servable = FunctionServable(lambda query, items: sums(query * items), *specs)
    async with client(tmp_path, servable) as one:
        answers = await asyncio.gather(
            *[one.ask(rows_of(2), rows_of(*range(size)), whole=True) for size in (3, 1, 0)]
        )
    assert [answer[:, 0].tolist() for answer in answers] == [[0, 2, 4], [0], []]


@in_event_loop
async def test_parts_of_a_frame_that_must_not_share_a_run_are_run_alone(tmp_path: Path) -> None:
    servable = FunctionServable(slow_sums, proven=False)
    requests = [rows_of(*range(size)) for size in (1, 2, 1, 0, 3)]
    async with client(tmp_path, servable) as one:
        assert not one.version.mergeable
        one.retire()
        one.believe_mergeable()
        assert are_sums(await asyncio.gather(*map(one.ask, requests)), requests)
    assert sizes(servable)[-5:] == [1, 2, 1, 0, 3]


@in_event_loop
async def test_a_constant_output_is_everybodys(tmp_path: Path) -> None:
    constant = np.array([3, 1, 2], np.float32)
    outputs = (
        TensorSpec("y", "float32", (None, 1)),
        TensorSpec("table", "float32", (3,), constant=True),
    )
    servable = FunctionServable(lambda rows: [slow_sums(rows), constant], outputs=outputs)
    requests = [rows_of(*range(size)) for size in (1, 2, 1, 30, 3)]
    async with client(tmp_path, servable, "engine.max_batch_rows=20") as one:
        for answers in (
            await asyncio.gather(*map(one.ask, requests)),
            await one.ask_all(requests),
        ):
            assert are_sums([answer[0] for answer in answers], requests)
            assert all(np.array_equal(answer[1], constant) for answer in answers)
    assert len(servable.runs) < 10


@pytest.mark.parametrize("most", [1, 2, 3])
@in_event_loop
async def test_no_more_rows_of_several_requests_share_a_run_than_should(
    tmp_path: Path, most: int
) -> None:
    requests = [rows_of(*range(size)) for size in (1, 2, 1, 0, 3, 1, 1, 7, 1, 2)]
    servable = FunctionServable(slow_sums)
    async with client(tmp_path, servable, shared_rows=most) as one:
        assert are_sums(await asyncio.gather(*map(one.ask, requests)), requests)
        assert are_sums(await one.ask_all(requests), requests)
    # A request of more rows is one run all the same.
    larger = [size for size in sizes(servable) if size > most]
    assert larger == [len(request) for request in requests if len(request) > most] * 2
    assert len(servable.runs) < 2 * len(requests) or most == 1


@in_event_loop
async def test_the_configuration_says_how_many_should_share_a_run(tmp_path: Path) -> None:
    servable = FunctionServable(slow_sums)
    async with client(tmp_path, servable, "engine.shared_rows=2") as one:
        requests = [rows_of(number) for number in range(9)]
        assert are_sums(await asyncio.gather(*map(one.ask, requests)), requests)
    assert max(sizes(servable)) == 2


@in_event_loop
async def test_what_is_too_late_behind_others_of_its_turn_fails_alone(tmp_path: Path) -> None:
    servable = FunctionServable(slow_sums)
    settings = ("server.request_timeout_s=0.5", "engine.shared_rows=1")
    async with client(tmp_path, servable, *settings) as one:
        requests = [rows_of(number) for number in range(60)]
        answers = await asyncio.gather(*map(one.ask, requests))
        late = [type(answer) is DeadlinePassed for answer in answers]
        assert late == sorted(late)
        assert late[-1]
        answered = late.index(True)
        assert are_sums(answers[:answered], requests[:answered])
        while not is_sum(await one.ask(rows_of(41)), rows_of(41)):
            await asyncio.sleep(0)  # who is refused at once does not wait
    assert len(servable.runs) < 60


@in_event_loop
async def test_one_that_fails_among_those_that_share_fails_alone(tmp_path: Path) -> None:
    def refusing(rows: Array) -> Array:
        if 13 in rows[:, 0]:
            raise DoesNotFit("the model refuses this")
        return slow_sums(rows)

    servable = FunctionServable(refusing)
    async with client(tmp_path, servable, shared_rows=2) as one:
        requests = [rows_of(number) for number in range(10, 17)]
        answers = await asyncio.gather(*map(one.ask, requests))
    assert type(answers.pop(3)) is DoesNotFit
    del requests[3]
    assert are_sums(answers, requests)


class _Fast(FastModel):
    def __init__(self) -> None:
        self.sizes: list[int] = []

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        self.sizes.append(len(inputs[0]))
        return [slow_sums(inputs[0])]


class _Accelerated(AcceleratedServable):
    runs: ClassVar[list[Any]] = []


@in_event_loop
async def test_an_accelerator_has_as_many_rows_as_ever(tmp_path: Path) -> None:
    fast, servable = _Fast(), _Accelerated(FunctionServable(sums), may_rest=False)
    accelerated: Any = servable
    async with client(tmp_path, accelerated, shared_rows=1) as one:
        servable.take(fast, 8)
        requests = [rows_of(number) for number in range(8)]
        assert are_sums(await asyncio.gather(*map(one.ask, requests)), requests)
    assert max(fast.sizes) > 1
