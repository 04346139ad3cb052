"""How many rows should share a run, by how long runs take."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest

from tests.core.engine.in_model_process.warming.verdicts import only, params, sums
from tfaas_core.engine.in_model_process.warming import sharing
from tfaas_core.engine.in_model_process.warming.warmup import warm
from tfaas_core.tensors import Array, BatchAxis, TensorSpec
from tfaas_core.testing.function_servable import FunctionServable

Duration = Callable[[int], float]


class Clock:
    """Goes on by what runs take, however busy the machine is."""

    now_s = 0.0

    def perf_counter(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(sharing, "time", clock)
    return clock


def taking(clock: Clock, duration_s: Duration) -> FunctionServable:
    """A model whose runs of so many rows take so long."""

    def run(rows: Array) -> Array:
        clock.now_s += duration_s(len(rows))
        return sums(rows)

    return FunctionServable(run)


@pytest.mark.parametrize(
    ("duration_s", "most"),
    [
        (lambda rows: 0.002 * rows**1.2, 1),
        (lambda rows: 0.002 * rows * (1.5 if rows > 2 else 1), 2),
        (lambda rows: 0.002 * rows * (2 if rows > 4 else 1) + 0.001, 4),
        (lambda rows: 0.002 * rows * (1.1 if rows == 1 else 0.9 if rows == 2 else 1.3), 2),
        (lambda rows: 0.01 * rows**1.2, 1),
        (lambda rows: 0.03 * rows**1.2, 1),
    ],
)
def test_no_more_than_are_as_fast_together(clock: Clock, duration_s: Duration, most: int) -> None:
    assert warm(taking(clock, duration_s)).shared_rows == most


@pytest.mark.parametrize(
    "duration_s",
    [
        lambda rows: 0.002 * rows,
        lambda rows: 0.002 * rows * 1.05,
        lambda rows: 0.002,
        lambda rows: 0.0006 * rows * (1.12 if rows > 1 else 1),
        lambda rows: 0.0001 * rows**2,
        lambda rows: 0.1 * rows**2,
    ],
    ids=["as fast", "nearly", "far faster", "what a run costs", "quick rows", "too slow to tell"],
)
def test_all_if_they_are_not_clearly_slower(clock: Clock, duration_s: Duration) -> None:
    assert warm(taking(clock, duration_s)).shared_rows == 0


@pytest.mark.parametrize("row_s", [0.0006, 0.005, 0.03, 0.06, 1.0])
def test_it_is_measured_in_a_bounded_time(clock: Clock, row_s: float) -> None:
    warm(taking(clock, lambda rows: row_s * rows**1.1))
    assert clock.now_s < 20 * row_s + 6 * sharing._BUDGET_S + 100 * row_s


def test_by_the_clock_too() -> None:
    def slower_together(rows: Array) -> Array:
        time.sleep(0.001 * len(rows) ** 2)
        return sums(rows)

    assert warm(FunctionServable(slower_together)).shared_rows == 1


def test_nothing_is_measured_of_who_says_it_or_shares_none(clock: Clock) -> None:
    slower = taking(clock, lambda rows: 0.002 * rows**2)
    assert warm(slower, params(shared_rows=5)).shared_rows == 5
    assert warm(slower, params(batch={"merge": False})).shared_rows == 0
    assert warm(slower, params(warmup="none")).shared_rows == 0
    one = FunctionServable(
        lambda rows: sums(rows), TensorSpec("x", "float32", (1, 3)), batch=BatchAxis.ONE
    )
    assert warm(one).shared_rows == 0


def test_values_that_do_not_run_tell_nothing() -> None:
    servable = FunctionServable(only(lambda rows: len(rows) == 2 and np.all(rows < 2)))
    assert warm(servable).shared_rows == 0
