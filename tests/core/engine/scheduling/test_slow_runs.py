from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from tfaas_core.engine.scheduling.slow_runs import SlowRuns
from tfaas_core.testing.waiting import until


@pytest.fixture
def slow_runs() -> Iterator[SlowRuns]:
    slow_runs = SlowRuns.create()
    yield slow_runs
    slow_runs.close()


def elsewhere(slow_runs: SlowRuns) -> SlowRuns:
    """The same as another process would have it."""
    return SlowRuns.of(os.dup(slow_runs.descriptor))


def in_s(duration_s: float) -> int:
    return time.monotonic_ns() + int(duration_s * 1e9)


@pytest.fixture
def others(slow_runs: SlowRuns) -> Iterator[SlowRuns]:
    others = elsewhere(slow_runs)
    yield others
    others.close()


def test_no_slow_run_is_expected_at_first(slow_runs: SlowRuns) -> None:
    assert not slow_runs.expected()


def test_all_processes_know_of_a_slow_run_until_it_is_over(
    slow_runs: SlowRuns, others: SlowRuns
) -> None:
    others.run_begins(in_s(60))
    assert slow_runs.expected()
    others.run_ends()
    until(lambda: not slow_runs.expected())


def test_the_end_of_one_slow_run_does_not_hide_a_longer_one(
    slow_runs: SlowRuns, others: SlowRuns
) -> None:
    others.run_begins(in_s(60))
    slow_runs.run_begins(in_s(0.001))
    slow_runs.run_ends()
    end_s = time.monotonic() + 0.2
    while time.monotonic() < end_s:
        assert slow_runs.expected()


def test_a_slow_run_whose_process_dies_is_not_expected_for_ever(slow_runs: SlowRuns) -> None:
    slow_runs.run_begins(in_s(0.01))
    until(lambda: not slow_runs.expected())
