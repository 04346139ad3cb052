from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from threading import Event

import numpy as np
import pytest

from tfaas_core.engine.in_model_process.loop import ServableLoop
from tfaas_core.engine.in_model_process.warmup import Warmed
from tfaas_core.engine.scheduling.pace import Pace, SlowRuns
from tfaas_core.engine.shared.frames import encode_request
from tfaas_core.engine.shared.meter import Meter
from tfaas_core.runtime import LoadOptions
from tfaas_core.testing.children import apart
from tfaas_core.testing.function_servable import FunctionServable
from tfaas_core.testing.server import until


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
    until(lambda: not slow_runs.expected(), 5)


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
    until(lambda: not slow_runs.expected(), 5)


def test_a_short_run_does_not_make_the_next_one_due_soon() -> None:
    assert apart(_due_after_a_short_run_in_s) > 0.15


def _due_after_a_short_run_in_s() -> float:
    pace = Pace("low", SlowRuns.create())
    for busy_s in (0.02, 0.02, 0.02, 0.02, 0):
        pace.run_begins()
        end_s = time.process_time() + busy_s
        while time.process_time() < end_s:
            pass
        pace.run_ends()
    return (pace.run_begins() - time.monotonic_ns()) / 1e9


@pytest.mark.parametrize("beside_slow_run", [False, True])
def test_a_loop_that_polls_yields_its_core_but_not_to_a_slow_run(
    slow_runs: SlowRuns, monkeypatch: pytest.MonkeyPatch, beside_slow_run: bool
) -> None:
    if beside_slow_run:
        slow_runs.run_begins(in_s(60))
    yields: list[None] = []
    monkeypatch.setattr(os, "sched_yield", lambda: yields.append(None))
    servable = FunctionServable(lambda rows: rows)
    signature = servable.signature
    ours, theirs = socket.socketpair()
    over = Event()
    pace = Pace("normal", elsewhere(slow_runs))
    warmed = Warmed(signature, mergeable=True)
    options = LoadOptions(busy_poll_s=5.0)
    loop = ServableLoop(servable, warmed, options, Meter.create(1), pace, over.set)
    loop.connect(theirs)
    loop.start()
    rows = np.ones((1, 3), np.float32)
    request = encode_request(0, time.monotonic() + 60, [1], [[rows]], signature.inputs)
    with ours:
        for _ in range(3):
            ours.sendall(request)
            ours.recv(1000)
        if not beside_slow_run:
            until(lambda: bool(yields), 5)
        loop.unload()
    assert over.wait(10)
    assert bool(yields) != beside_slow_run
