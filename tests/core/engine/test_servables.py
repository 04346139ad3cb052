from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tfaas_core.engine.local import LocalEngineFactory
from tfaas_core.errors import CannotServe, DeadlinePassed, TfaasError
from tfaas_core.tensors import Array, BatchAxis, TensorSpec
from tfaas_core.testing.engine_harness import Worker, eventually, is_sum, rows_of, started
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.servables import FunctionServable, OneServable


def sums(rows: Array) -> Array:
    result: Array = rows.sum(axis=1, keepdims=True)
    return result


def slow_sums(rows: Array) -> Array:
    time.sleep(0.02)
    return sums(rows)


class Client:
    """Sends requests to the one model that there is."""

    def __init__(self, worker: Worker, servable: FunctionServable) -> None:
        self._worker = worker
        self._servable = servable

    async def load(self) -> None:
        self.version = await self._worker.upload("vk", "any")
        await self.ask(*self._servable.runs[0])
        self._servable.runs.clear()

    def retire(self) -> None:
        self._worker.retire(self.version)

    async def ask(self, *inputs: Array) -> Any:
        """The answer or the error."""
        rows = len(inputs[0]) if self.version.signature.batch is not BatchAxis.NONE else 1
        try:
            (answer,) = await self._worker.engine.run(self.version, inputs, rows)
            return answer
        except TfaasError as error:
            return error

    async def ask_all(self, requests: Sequence[Array]) -> list[Any]:
        """The answers to requests of one input, each in a frame of its own."""
        asking = []
        for request in requests:
            asking.append(asyncio.create_task(self.ask(request)))
            await asyncio.sleep(0)
        return await asyncio.gather(*asking)


@asynccontextmanager
async def client(folder: Path, servable: FunctionServable, *settings: str) -> AsyncIterator[Client]:
    """A client whose first request, a warm-up's, was answered and is forgotten."""
    async with started(
        LocalEngineFactory(),
        folder,
        ["engine.isolation=inline", *settings],
        runtime=OneServable(servable),
    ) as harness:
        one = Client(harness.worker, servable)
        await one.load()
        yield one


def sizes(servable: FunctionServable) -> list[int]:
    """How many rows each run had."""
    return [len(inputs[0]) for inputs in servable.runs]


@in_event_loop
async def test_requests_that_come_during_a_run_share_the_next_runs(tmp_path: Path) -> None:
    servable = FunctionServable(slow_sums)
    requests = [rows_of(*range(number, number + number % 4)) for number in range(50)]
    async with client(tmp_path, servable, "engine.max_batch_rows=20") as one:
        answers = await one.ask_all(requests)
    assert all(map(is_sum, answers, requests))
    assert max(sizes(servable)) > 5
    assert max(sizes(servable)) <= 20
    assert sum(sizes(servable)) == sum(map(len, requests))
    assert len(servable.runs) < 20


@in_event_loop
async def test_a_request_alone_waits_for_nobody(tmp_path: Path) -> None:
    servable = FunctionServable(sums)
    async with client(tmp_path, servable) as one:
        for number in range(5):
            assert is_sum(await one.ask(rows_of(number)), rows_of(number))
    assert sizes(servable) == [1] * 5


@in_event_loop
async def test_a_request_that_is_too_late_is_not_run(tmp_path: Path) -> None:
    servable = FunctionServable(slow_sums)
    settings = ("server.request_timeout_s=0.2", "engine.max_batch_rows=1")
    async with client(tmp_path, servable, *settings) as one:
        answers = await one.ask_all([rows_of(number) for number in range(40)])
        assert isinstance(answers[-1], DeadlinePassed)
        assert isinstance(answers[0], np.ndarray)
        # What is asked now comes after all of them.
        while not is_sum(await one.ask(rows_of(41)), rows_of(41)):
            pass
    assert len(servable.runs) < 40


@in_event_loop
async def test_a_stateful_model_sees_the_requests_one_by_one_and_in_order(tmp_path: Path) -> None:
    servable = FunctionServable(slow_sums, stateful=True)
    async with client(tmp_path, servable) as one:
        await one.ask_all([rows_of(number) for number in range(10)])
    assert [inputs[0].tolist() for inputs in servable.runs] == [[[n, 0, 0]] for n in range(10)]


@in_event_loop
async def test_rows_of_different_shapes_are_not_mixed(tmp_path: Path) -> None:
    servable = FunctionServable(slow_sums, TensorSpec("x", "float32", (None, None)))
    requests = [np.full((1 + n % 2, 1 + n % 3), n, np.float32) for n in range(24)]
    async with client(tmp_path, servable) as one:
        together = await asyncio.gather(*map(one.ask, requests))
        assert len(servable.runs) <= 4
        apart = await one.ask_all(requests)
    for answers in (together, apart):
        assert all(map(is_sum, answers, requests))


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
async def test_strings_go_in_and_come_out(tmp_path: Path) -> None:
    words = TensorSpec("x", "string", (None,))
    servable = FunctionServable(lambda x: x + b"!", words, output=words)
    requests = [np.array([b"%d" % n, b"", b"\xff", None][: n % 4], object) for n in range(40)]
    async with client(tmp_path, servable) as one:
        answers = await asyncio.gather(*map(one.ask, requests))
    assert [a.tolist() for a in answers] == [[s + b"!" for s in r] for r in requests]


@in_event_loop
async def test_a_batch_that_is_not_answered_row_by_row_is_run_again_one_by_one(
    tmp_path: Path,
) -> None:
    servable = FunctionServable(lambda rows: sums(rows) if len(rows) <= 2 else sums(rows)[:1])
    requests = [rows_of(number) for number in range(20)]
    async with client(tmp_path, servable) as one:
        answers = await asyncio.gather(*map(one.ask, requests))
    assert all(map(is_sum, answers, requests))


@pytest.mark.parametrize(
    "broken",
    [lambda rows: 1 / 0, lambda rows: rows.astype(float), lambda rows: rows.astype(object)],
    ids=["raises", "answers with doubles", "answers with objects"],
)
@in_event_loop
async def test_a_runtimes_bug_is_no_answer_and_not_the_models_end(
    broken: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    servable = FunctionServable(lambda rows: broken(rows) if rows[0, 0] == 13 else sums(rows))
    async with client(tmp_path, servable) as one:
        for _turn in range(2):
            error = await one.ask(rows_of(13))
            assert type(error) is TfaasError
            assert "the runtime failed" in error.message
            assert is_sum(await one.ask(rows_of(14)), rows_of(14))
    assert "the runtime" in caplog.text


@in_event_loop
async def test_a_model_is_closed_when_it_is_retired(tmp_path: Path) -> None:
    servable = FunctionServable(slow_sums)
    async with client(tmp_path, servable) as one:
        asking = asyncio.create_task(one.ask(rows_of(1)))
        await asyncio.sleep(0)
        one.retire()
        assert not servable.closed
        assert is_sum(await asking, rows_of(1))
        await eventually(lambda: servable.closed, "the model is closed")


@in_event_loop
async def test_a_model_that_fails_in_the_warm_up_is_closed(tmp_path: Path) -> None:
    servable = FunctionServable(lacks_kernel)
    with pytest.raises(CannotServe, match="lacks a kernel"):
        async with client(tmp_path, servable):
            pass
    assert servable.closed


def lacks_kernel(_rows: Array) -> Array:
    raise CannotServe("this machine lacks a kernel")
