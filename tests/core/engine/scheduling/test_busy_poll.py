from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from threading import Event

import numpy as np
import pytest

from tfaas_core.engine.in_model_process.loop import ServableLoop
from tfaas_core.engine.in_model_process.signed import Signed
from tfaas_core.engine.in_model_process.warming.warmup import Warmed
from tfaas_core.engine.scheduling.busy_poll import BusyPoll, Solo
from tfaas_core.engine.scheduling.pace import Pace
from tfaas_core.engine.scheduling.slow_runs import SlowRuns
from tfaas_core.engine.shared.frames import encode_request
from tfaas_core.engine.shared.meter import Meter
from tfaas_core.runtime import LoadOptions
from tfaas_core.testing.function_servable import FunctionServable
from tfaas_core.testing.waiting import until


class Looked:
    """Finds something at the look of this number, counted from 1; 0: never."""

    def __init__(self, found_at: int) -> None:
        self.times = 0
        self._found_at = found_at

    def __call__(self) -> str | None:
        self.times += 1
        return "here" if self.times == self._found_at else None


def comes_soon(poll: BusyPoll) -> BusyPoll:
    """Shows it that what is awaited comes at once."""
    poll.wait(lambda: None, lambda: "here")
    return poll


def look(
    poll: BusyPoll, find: Callable[[], str | None], begin_s: float | None = None
) -> str | None:
    return poll.look(find, time.monotonic() if begin_s is None else begin_s)


def test_nothing_is_polled_before_something_came_soon() -> None:
    looked = Looked(1)
    assert look(BusyPoll(60), looked) is None
    assert looked.times == 0


def test_what_comes_soon_is_looked_for_until_it_is_there() -> None:
    looked = Looked(5)
    assert look(comes_soon(BusyPoll(60)), looked) == "here"
    assert looked.times == 5


def test_what_does_not_come_is_given_up() -> None:
    looked = Looked(0)
    assert look(comes_soon(BusyPoll(0.01)), looked) is None
    assert looked.times


def test_what_came_late_is_not_polled_the_next_time() -> None:
    poll = comes_soon(BusyPoll(1))
    look(poll, Looked(0), time.monotonic() - 2)
    poll.ends()
    looked = Looked(1)
    assert look(poll, looked) is None
    assert looked.times == 0


def test_with_a_limit_of_zero_nothing_is_polled() -> None:
    looked = Looked(1)
    assert look(comes_soon(BusyPoll(0)), looked) is None
    assert looked.times == 0


def test_an_http_worker_does_not_poll_for_long() -> None:
    looked = Looked(1)
    poll = comes_soon(BusyPoll.in_worker(60))
    assert look(poll, looked, time.monotonic() - 0.01) is None
    assert looked.times == 0


def test_who_asks_with_others_is_alone_only_after_a_while() -> None:
    solo = Solo(quiet_s=1)
    assert solo.is_of("one", 10)
    solo.has_company(11)
    assert not solo.is_of("one", 12)
    assert solo.is_of("one", 12.5)
    assert not solo.is_of("other", 13)
    assert not solo.is_of("other", 14)
    assert solo.is_of("other", 14.5)


@pytest.mark.parametrize("beside", ["nothing", "a slow run", "a part", "rows of others"])
def test_a_loop_that_one_asks_polls_and_yields_its_core_but_not_to_a_slow_run(
    monkeypatch: pytest.MonkeyPatch, beside: str
) -> None:
    slow_runs, meter = SlowRuns.create(), Meter.create(1)
    if beside == "a slow run":
        slow_runs.run_begins(time.monotonic_ns() + 60 * 10**9)
    if beside == "rows of others":
        meter.add(0, 2)
    yields: list[None] = []
    monkeypatch.setattr(os, "sched_yield", lambda: yields.append(None))
    servable = FunctionServable(lambda rows: rows)
    signature = servable.signature
    ours, theirs = socket.socketpair()
    over = Event()
    pace = Pace("normal", slow_runs)
    warmed = Warmed(signature, mergeable=True)
    options = LoadOptions(busy_poll_s=5.0)
    loop = ServableLoop([Signed(servable, warmed)], options, meter, pace, over.set)
    loop.connect(theirs)
    loop.start()
    rows = np.ones((1, 3), np.float32)
    parts = 2 if beside == "a part" else 1
    deadline_s = time.monotonic() + 60
    request = encode_request(0, deadline_s, [1] * parts, [[rows]] * parts, signature.inputs)
    with ours:
        for _ in range(3):
            ours.sendall(request)
            ours.recv(1000)
        if beside == "nothing":
            until(lambda: bool(yields))
        loop.unload()
    assert over.wait(30)
    assert bool(yields) == (beside == "nothing")
