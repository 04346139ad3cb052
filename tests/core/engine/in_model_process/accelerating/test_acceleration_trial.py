from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from tfaas_core.engine.in_model_process.accelerating.accelerated import AcceleratedServable
from tfaas_core.engine.in_model_process.accelerating.acceleration_trial import (
    AccelerationTrial,
    TrialResult,
)
from tfaas_core.errors import DoesNotFit
from tfaas_core.runtime import CannotAccelerate, FastModel, Servable
from tfaas_core.tensors import Array, BatchAxis, TensorSpec
from tfaas_core.testing.function_servable import FunctionServable

ROW = TensorSpec("y", "float32", (None, 1))
PAIR = TensorSpec("y", "float32", (None, 2))
INDEX = TensorSpec("i", "int32", (None, 1))
TABLE = np.arange(7, dtype=np.float32)


class FastFunction(FastModel):
    def __init__(self, function: Callable[..., Array]) -> None:
        self._function = function
        self.rows: list[int] = []

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        self.rows.append(len(inputs[0]))
        return [self._function(*inputs)]


def slowly(function: Callable[..., Array]) -> Callable[..., Array]:
    def run(*inputs: Array) -> Array:
        time.sleep(0.0005)
        return function(*inputs)

    return run


def total(rows: Array) -> Array:
    sums: Array = rows.sum(1, keepdims=True)
    return sums


def nothing(rows: Array) -> Array:
    return np.tile(np.array([1, 2], np.float32), (len(rows), 1))


def picked(places: Array) -> Array:
    """As LiteRT may: of what is out of range, it takes the last."""
    return np.asarray(TABLE[np.clip(places, 0, 6)])


def picked_with_care(places: Array) -> Array:
    if places.min() < 0 or places.max() > 6:
        raise DoesNotFit("it is out of range")
    return TABLE[places]


def refused(places: Array) -> Array:
    if places.min() < 0 or places.max() > 6:
        raise RuntimeError("index out of bounds")
    return TABLE[places]


def first_of(function: Callable[..., Array], *inputs: TensorSpec) -> FunctionServable:
    return FunctionServable(slowly(function), *inputs, output=ROW)


def found(first: Servable, fast: FastModel, max_rows: int = 64) -> TrialResult:
    return AccelerationTrial(first, fast, first.signature).found([], max_rows, mergeable=True)


def test_what_answers_alike_and_faster_is_found_with_the_rows_that_were_tried() -> None:
    fast = FastFunction(total)
    result = found(first_of(total), fast, 50)
    assert result.most_rows == 50
    assert [speed.rows for speed in result.speeds] == [1, 50]
    assert {1, 3, 32, 50} <= set(fast.rows)
    assert max(fast.rows) == 50


@pytest.mark.parametrize(
    ("first", "fast", "why"),
    [
        (first_of(total), lambda x: total(x) * np.float32(1.0001), "its output 'y' is another"),
        (first_of(total), lambda x: total(x)[:1], "its output 'y' is another"),
        (first_of(total), lambda x: total(x).astype(np.float64), "its output 'y' is another"),
        (FunctionServable(nothing, output=PAIR), nothing, "nearly the same whatever"),
        (first_of(picked_with_care, INDEX), picked, "it says nothing, not DoesNotFit"),
        (first_of(total, TensorSpec("x", "float32", (None, None))), total, "requests choose"),
        (first_of(total, TensorSpec("x", "float32", None)), total, "no first axis"),
        (FunctionServable(total, output=ROW), slowly(total), "times as fast at 1 row"),
    ],
    ids=["off", "rows", "dtype", "constant", "index", "free-size", "no-rank", "slower"],
)
def test_whatever_differs_is_refused_with_why(
    first: Servable, fast: Callable[..., Array], why: str
) -> None:
    with pytest.raises(CannotAccelerate, match=why):
        found(first, FastFunction(fast))


def test_errors_stay_those_of_the_first() -> None:
    first = first_of(picked_with_care, INDEX)
    assert found(first, FastFunction(refused)).most_rows == 64
    both = AcceleratedServable(first)
    both.take(FastFunction(refused), 64)
    with pytest.raises(DoesNotFit):
        both.run([np.array([[9]], np.int32)])


def test_examples_are_compared() -> None:
    def wrong_at_42(rows: Array) -> Array:
        return np.where(rows[:, :1] == 42, 0, total(rows)).astype(np.float32)

    first = first_of(total)
    trial = AccelerationTrial(first, FastFunction(wrong_at_42), first.signature)
    with pytest.raises(CannotAccelerate, match="of an example"):
        trial.found([[np.full((2, 3), 42, np.float32)]], 8, mergeable=True)


def test_a_batch_axis_of_one_is_tried_with_one_row() -> None:
    fast = FastFunction(total)
    first = FunctionServable(slowly(total), output=ROW, batch=BatchAxis.ONE)
    assert found(first, fast).most_rows == 1
    assert set(fast.rows) == {1}


@pytest.mark.parametrize(
    "rows",
    [
        np.full((2, 3), np.nan),
        np.full((65, 3), 1.0),
        np.ones((0, 3)),
        np.ones((2, 4)),
        np.ones((2, 3, 1)),
        np.ones(()),
    ],
)
def test_what_was_not_tried_is_the_firsts(rows: Array) -> None:
    first, fast = FunctionServable(np.copy), FastFunction(total)
    both = AcceleratedServable(first)
    both.take(fast, 64)
    both.run([rows.astype(np.float32)])
    assert (len(first.runs), fast.rows) == (1, [])


def test_of_a_fixed_number_of_rows_fewer_are_the_firsts() -> None:
    first, fast = FunctionServable(total, TensorSpec("x", "float32", (4, 3))), FastFunction(total)
    both = AcceleratedServable(first)
    both.take(fast, 4)
    for rows in (3, 4):
        both.run([np.ones((rows, 3), np.float32)])
    assert (len(first.runs), fast.rows) == (1, [4])
