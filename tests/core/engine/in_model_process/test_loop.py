from __future__ import annotations

import asyncio
import errno
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from tests.core.engine.in_model_process.one_model import client, sizes, slow_sums, sums
from tfaas_core.errors import CannotServe, DeadlinePassed, TfaasError, Unavailable
from tfaas_core.tensors import Array, TensorSpec
from tfaas_core.testing.engine_harness import are_sums, is_sum, rows_of
from tfaas_core.testing.function_servable import FunctionServable
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.waiting import eventually


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
    settings = ("server.request_timeout_s=1", "engine.max_batch_rows=1")
    async with client(tmp_path, servable, *settings) as one:
        answers = await one.ask_all([rows_of(number) for number in range(100)])
        assert isinstance(answers[-1], DeadlinePassed)
        assert isinstance(answers[0], np.ndarray)
        # What is asked now comes after all of them.
        while not is_sum(await one.ask(rows_of(41)), rows_of(41)):
            await asyncio.sleep(0)  # who is refused at once does not wait
    assert len(servable.runs) < 100


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


@pytest.mark.parametrize(
    ("lacks", "said"),
    [
        (MemoryError(), "there is not enough memory for this run"),
        (OSError(errno.EMFILE, "Too many open files", "/secret"), "Too many open files; try again"),
    ],
)
@in_event_loop
async def test_a_run_that_lacks_what_the_system_gives_may_be_tried_again(
    tmp_path: Path, lacks: Exception, said: str
) -> None:
    servable = FunctionServable(lambda rows: raises(lacks) if rows[0, 0] == 13 else sums(rows))
    async with client(tmp_path, servable) as one:
        error = await one.ask(rows_of(13))
        assert type(error) is Unavailable
        assert said in error.message


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
