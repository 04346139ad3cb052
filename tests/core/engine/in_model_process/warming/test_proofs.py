"""Models whose file does not tell the shapes of their inputs, and what requests show of them."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import numpy as np
import pytest

from tests.core.engine.in_model_process.one_model import Client, client, sizes
from tfaas_core.engine.in_model_process.warming.proofs import MOST_SHAPES
from tfaas_core.runtime import Independence, Shapes
from tfaas_core.tensors import Array, BatchAxis, TensorSpec
from tfaas_core.testing.function_servable import FunctionServable
from tfaas_core.testing.loops import in_event_loop

ANY = TensorSpec("x", "float32", None)


def sums(rows: Array) -> Array:
    result: Array = rows.reshape(len(rows), -1).sum(axis=1, keepdims=True)
    return result


def any_shape(proven: bool = True) -> FunctionServable:
    return FunctionServable(sums, ANY, batch=BatchAxis.NONE, proven=proven, by_shape=True)


def rows(count: int, *row_shape: int) -> Array:
    return np.arange(count * int(np.prod(row_shape)), dtype=np.float32).reshape(count, *row_shape)


async def ask_at_once(one: Client, *requests: Array) -> None:
    """Asks in one turn of the event loop, and checks each answer."""
    answers = await asyncio.gather(*(one.ask(request) for request in requests))
    for request, answer in zip(requests, answers, strict=True):
        np.testing.assert_array_equal(answer, sums(request))


@in_event_loop
async def test_rows_of_a_shape_share_a_run_once_they_are_proven_for_it(tmp_path: Path) -> None:
    servable = any_shape()
    async with client(tmp_path, servable) as one:
        assert one.version.mergeable
        assert one.version.signature.batch is BatchAxis.NONE
        await ask_at_once(one, rows(2, 3, 4), rows(1, 3, 4), rows(3, 3, 4))
        assert servable.asked == [[(None, 3, 4)]]
        assert sizes(servable)[-1] == 6
        await ask_at_once(one, rows(1, 3, 4), rows(1, 3, 4))
        assert servable.asked == [[(None, 3, 4)]]


@in_event_loop
async def test_where_no_made_up_values_are_to_be_run_the_proof_does_alone(tmp_path: Path) -> None:
    servable = any_shape()
    async with client(tmp_path, servable, warmup="none") as one:
        await ask_at_once(one, rows(2, 3), rows(1, 3))
        assert servable.asked == [[(None, 3)]]
        assert sizes(servable) == [3]


@in_event_loop
async def test_rows_of_different_shapes_do_not(tmp_path: Path) -> None:
    servable = any_shape()
    async with client(tmp_path, servable) as one:
        await ask_at_once(one, rows(1, 3), rows(1, 4), rows(1, 3, 1))
        assert sizes(servable)[-3:] == [1, 1, 1]


@in_event_loop
async def test_rows_that_are_not_proven_for_their_shape_do_not(tmp_path: Path) -> None:
    servable = any_shape(proven=False)
    async with client(tmp_path, servable) as one:
        await ask_at_once(one, rows(2, 3), rows(1, 3))
        assert sizes(servable) == [2, 1]


@in_event_loop
@pytest.mark.parametrize("error", [RecursionError, SystemExit])
async def test_a_proof_that_fails_is_none_and_the_requests_are_answered(
    tmp_path: Path, error: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(FunctionServable):
        def independence(self, shapes: Shapes | None = None) -> Independence:
            if shapes is not None:
                raise error
            return super().independence()

    servable = Broken(sums, ANY, batch=BatchAxis.NONE, by_shape=True)
    async with client(tmp_path, servable) as one:
        await ask_at_once(one, rows(2, 3), rows(1, 3))
        assert sizes(servable)[-2:] == [2, 1]
    (record,) = (each for each in caplog.records if each.levelno == logging.ERROR)
    said = f"{one.version.key}: the runtime cannot prove that its rows are independent"
    assert record.message == said


@in_event_loop
async def test_no_more_shapes_are_proven_than_may_hold_up_others(tmp_path: Path) -> None:
    servable = any_shape()
    async with client(tmp_path, servable) as one:
        for size in range(1, MOST_SHAPES + 3):
            await ask_at_once(one, rows(1, size), rows(1, size))
        assert len(servable.asked) == MOST_SHAPES


@pytest.mark.parametrize("shape", [(0, 3), ()])
@in_event_loop
async def test_a_tensor_without_rows_runs_alone(tmp_path: Path, shape: tuple[int, ...]) -> None:
    servable = FunctionServable(lambda x: x.reshape(-1), ANY, batch=BatchAxis.NONE, by_shape=True)
    async with client(tmp_path, servable) as one:
        answer = await one.ask(np.ones(shape, np.float32))
        np.testing.assert_array_equal(answer, np.ones(shape, np.float32).reshape(-1))
        assert servable.asked == []


@in_event_loop
async def test_inputs_with_different_first_sizes_run_alone(tmp_path: Path) -> None:
    def both(a: Array, b: Array) -> Array:
        return np.concatenate([a, b])

    inputs = [TensorSpec("a", "float32", None), TensorSpec("b", "float32", None)]
    servable = FunctionServable(both, *inputs, batch=BatchAxis.NONE, by_shape=True)
    async with client(tmp_path, servable) as one:
        answers = await asyncio.gather(*(one.ask(rows(2, 1), rows(1, 1)) for _ in range(3)))
        assert [answer.tolist() for answer in answers] == [[[0.0], [1.0], [0.0]]] * 3
        assert servable.asked == []
