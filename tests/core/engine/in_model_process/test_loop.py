from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from tfaas_core.engine.local import LocalEngineFactory
from tfaas_core.errors import CannotServe, DeadlinePassed, DoesNotFit, TfaasError, Unavailable
from tfaas_core.tensors import Array, BatchAxis, TensorSpec
from tfaas_core.testing.engine_harness import Worker, are_sums, eventually, is_sum, rows_of, started
from tfaas_core.testing.function_servable import FunctionServable, OneServable
from tfaas_core.testing.loops import in_event_loop


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

    async def load(self, **params: Any) -> None:
        self.version = await self._worker.upload("vk", "any", **params)
        if self._servable.runs:
            await self.ask(*self._servable.runs[0])
        self._servable.runs.clear()

    def believe_mergeable(self) -> None:
        """Goes by a record that says so, which may not be what the model's process finds out."""
        self.version = msgspec.structs.replace(self.version, mergeable=True)

    def retire(self) -> None:
        self._worker.retire(self.version)

    async def ask(self, *inputs: Array, whole: bool = False) -> Any:
        """The answer, or all of them where there are several, or the error."""
        rows = len(inputs[0]) if self.version.signature.batch is not BatchAxis.NONE else 1
        try:
            answers = await self._worker.engine.run(self.version, inputs, rows, whole)
        except TfaasError as error:
            return error
        return answers if len(answers) > 1 else answers[0]

    async def ask_all(self, requests: Sequence[Array], whole: bool = False) -> list[Any]:
        """The answers to requests of one input, each in a frame of its own."""
        asking = []
        for request in requests:
            asking.append(asyncio.create_task(self.ask(request, whole=whole)))
            await asyncio.sleep(0)
        return await asyncio.gather(*asking)


@asynccontextmanager
async def client(
    folder: Path, servable: FunctionServable, *settings: str, **params: Any
) -> AsyncIterator[Client]:
    """A client whose first request, a warm-up's, was answered and is forgotten."""
    async with started(
        LocalEngineFactory(),
        folder,
        ["engine.isolation=inline", *settings],
        runtime=OneServable(servable),
    ) as harness:
        one = Client(harness.worker, servable)
        await one.load(**params)
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


class Quits(BaseException):
    """What no handler of Exception catches."""


def raises(error: BaseException) -> Any:
    raise error


@pytest.mark.parametrize(
    "broken",
    [
        lambda rows: raises(ZeroDivisionError()),
        lambda rows: raises(SystemExit(1)),
        lambda rows: raises(KeyboardInterrupt()),
        lambda rows: raises(Quits()),
        lambda rows: rows.astype(float),
        lambda rows: rows.astype(object),
        lambda rows: None,
        lambda rows: [sums(rows), sums(rows)],
    ],
    ids=[
        *("raises", "exits", "is interrupted", "quits"),
        *("answers with doubles", "answers with objects", "does not answer", "answers twice"),
    ],
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
            assert "the runtime failed in a run" in error.message
            together = await asyncio.gather(*[one.ask(rows_of(n)) for n in (13, 14, 15)])
            assert type(together[0]) is TfaasError
            assert are_sums(together[1:], [rows_of(14), rows_of(15)])
            apart = await one.ask_all([rows_of(13), rows_of(14)])
            assert type(apart[0]) is TfaasError
            assert is_sum(apart[1], rows_of(14))
    assert f"{one.version.key}: the runtime raises or answers" in caplog.text


@in_event_loop
async def test_a_run_that_lacks_memory_may_be_tried_again(tmp_path: Path) -> None:
    servable = FunctionServable(
        lambda rows: raises(MemoryError()) if rows[0, 0] == 13 else sums(rows)
    )
    async with client(tmp_path, servable) as one:
        error = await one.ask(rows_of(13))
        assert type(error) is Unavailable
        assert "memory" in error.message


@in_event_loop
async def test_a_request_that_the_model_cannot_read_fails_alone(tmp_path: Path) -> None:
    async with client(tmp_path, FunctionServable(sums)) as one:
        version = one.version
        specs = (*version.signature.inputs, TensorSpec("z", "string", (None,)))
        signature = msgspec.structs.replace(version.signature, inputs=specs)
        other = msgspec.structs.replace(
            version, signature=signature, created="2030-01-01 00:00:00.000000 +0000 UTC"
        )
        for _turn in range(2):
            one.version = other
            error = await one.ask(rows_of(1), np.array([b"z"], object))
            assert type(error) is TfaasError
            one.version = version
            assert is_sum(await one.ask(rows_of(2)), rows_of(2))


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
    async with client(tmp_path, servable, "server.request_timeout_s=0.1") as one:
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
