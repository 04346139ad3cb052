from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from tfaas_core.engine.shared.meter import AddingMeter, Meter


@pytest.fixture
def meter() -> Iterator[Meter]:
    meter = Meter.create(3)
    yield meter
    meter.close()


@pytest.fixture
def shared(meter: Meter) -> Iterator[Meter]:
    """The same meter as another process would have it."""
    shared = Meter.of(os.dup(meter.descriptor))
    yield shared
    shared.close()


def test_a_new_meter_is_all_zero(meter: Meter) -> None:
    assert meter.rows() == 0
    assert meter.last_used_ns() == 0
    assert meter.running_since_ns() == 0


@pytest.mark.parametrize("size", [0, 1 << 20])
def test_nobody_can_change_its_size(meter: Meter, size: int) -> None:
    """Or else whoever reads it would be killed."""
    with pytest.raises(PermissionError):
        os.ftruncate(meter.descriptor, size)


def test_rows_are_those_of_all_workers(meter: Meter, shared: Meter) -> None:
    meter.add(0, 5)
    shared.add(1, 7)
    meter.add(2, 1)
    assert meter.rows() == shared.rows() == 13
    meter.remove(0, 5)
    assert meter.rows() == shared.rows() == 8


def test_a_reset_forgets_one_workers_rows_alone(meter: Meter, shared: Meter) -> None:
    for worker in range(3):
        meter.add(worker, 10**worker)
    shared.reset(1)
    assert meter.rows() == 101


@pytest.mark.parametrize("worker", [0, 1, 2])
def test_the_last_use_is_any_workers(meter: Meter, shared: Meter, worker: int) -> None:
    meter.add((worker + 1) % 3, 1)
    before_ns = time.monotonic_ns()
    meter.add(worker, 1)
    assert before_ns <= shared.last_used_ns() <= time.monotonic_ns()


def test_an_answer_is_a_use(meter: Meter) -> None:
    meter.add(0, 1)
    before_ns = time.monotonic_ns()
    meter.remove(0, 1)
    assert meter.last_used_ns() >= before_ns


def test_it_tells_since_when_a_run_lasts(meter: Meter, shared: Meter) -> None:
    before_ns = time.monotonic_ns()
    shared.run_begins()
    assert before_ns <= meter.running_since_ns() <= time.monotonic_ns()
    shared.run_ends()
    assert meter.running_since_ns() == 0
    assert meter.rows() == 0
    assert meter.last_used_ns() == 0


def test_a_run_that_is_not_over_when_it_is_due_is_overdue(meter: Meter, shared: Meter) -> None:
    shared.run_begins(due_ns=time.monotonic_ns() + 60 * 10**9)
    assert not meter.is_overdue()
    shared.run_begins(due_ns=time.monotonic_ns() - 1)
    assert meter.is_overdue()
    shared.run_ends()
    assert not meter.is_overdue()
    shared.run_begins()
    assert not meter.is_overdue()


def test_runs_are_added_up_if_that_is_wanted_and_the_present_one_counts(meter: Meter) -> None:
    adding = AddingMeter.of(os.dup(meter.descriptor))
    for _run in range(2):
        before_ns, begin_ns = meter.busy_ns(), time.monotonic_ns()
        adding.run_begins()
        while meter.busy_ns() == before_ns:
            pass
        adding.run_ends()
        assert 0 < meter.busy_ns() - before_ns <= time.monotonic_ns() - begin_ns
        assert meter.busy_ns() == meter.busy_ns()
    adding.close()


def test_the_last_user_is_the_worker_that_used_it_last(meter: Meter) -> None:
    for worker in (2, 0, 1):
        meter.add(worker, 1)
        assert meter.last_user() == worker


@pytest.mark.parametrize("workers", [1, 2, 64])
def test_whoever_gets_the_descriptor_knows_the_workers(workers: int) -> None:
    meter = Meter.create(workers)
    shared = Meter.of(os.dup(meter.descriptor))
    shared.add(workers - 1, 3)
    shared.run_begins()
    assert meter.rows() == 3
    assert meter.running_since_ns() > 0
    with pytest.raises(IndexError):
        shared.add(workers + 2, 1)
    meter.close()
    shared.close()


def test_closing_leaves_no_descriptor_and_the_others_their_memory(meter: Meter) -> None:
    before = len(os.listdir("/proc/self/fd"))
    shared = Meter.of(os.dup(meter.descriptor))
    shared.add(0, 2)
    shared.close()
    assert len(os.listdir("/proc/self/fd")) == before
    assert meter.rows() == 2
