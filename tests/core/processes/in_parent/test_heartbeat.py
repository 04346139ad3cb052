from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil
import pytest

from tfaas_core.processes.in_parent.heartbeat import SHORTEST_S, SLEEP_LIMIT_S, Heartbeat
from tfaas_core.system.lives.stopped import LOOK_EVERY_S, state_of
from tfaas_core.testing.waiting import until

LOOKS = round(3 * SHORTEST_S / LOOK_EVERY_S)
SLEEPS = "import time; time.sleep(3600)"
COMPUTES = "while True: pass"
POLLS = "import time\nwhile True: time.sleep(0.001)"
ON_ONE_CORE = f"import os; os.sched_setaffinity(0, {{{min(os.sched_getaffinity(0))}}})"
BURNS = f"{ON_ONE_CORE}\n{COMPUTES}"


@contextmanager
def running(code: str, state: str) -> Iterator[psutil.Process]:
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        until(lambda: state_of(process.pid) == state)
        try:
            yield psutil.Process(process.pid)
        finally:
            process.kill()


def faults(process: psutil.Process, answers: bool, is_serving: bool = True) -> list[str]:
    """What is said of a process at each look; it answers each question or none."""
    heart = Heartbeat(process.pid, lambda: asked.append(True), limit_s=SHORTEST_S)
    asked: list[bool] = []
    found = []
    for _look in range(LOOKS):
        found.append(heart.fault(is_serving))
        if answers and asked:
            asked.clear()
            heart.answered()
    return found


def test_one_that_answers_nothing_and_sleeps_is_to_be_replaced_within_ten_seconds() -> None:
    with running(SLEEPS, "S") as process:
        found = faults(process, answers=False)
        fault = "has answered nothing and done nothing for 8 s"
        assert found.index(fault) == SLEEP_LIMIT_S / LOOK_EVERY_S < 10
        assert not any(faults(process, answers=True))
        assert not any(faults(process, answers=False, is_serving=False))


@pytest.mark.parametrize(("code", "state"), [(COMPUTES, "R"), (POLLS, "S")])
def test_one_that_answers_nothing_is_to_be_replaced_whatever_it_does(code: str, state: str) -> None:
    with running(code, state) as process:
        told = looks_at(process, lambda told: bool(told[-1]))
    assert told[-1] == "has answered nothing for 10 s in which it had a core"
    assert len(told) > SHORTEST_S / LOOK_EVERY_S


def test_one_that_gets_no_core_is_left_alone() -> None:
    with running(BURNS, "R") as other, running(BURNS, "R") as process:
        until(lambda: all(len(each.cpu_affinity()) == 1 for each in (other, process)))
        os.sched_setscheduler(process.pid, os.SCHED_IDLE, os.sched_param(0))
        assert not any(looks_at(process, lambda told: len(told) > LOOKS))


def looks_at(process: psutil.Process, are_enough: Callable[[list[str]], bool]) -> list[str]:
    """What is said of a process that answers nothing, a few times a second, until it is enough."""
    heart = Heartbeat(process.pid, lambda: None, limit_s=SHORTEST_S)
    told: list[str] = []

    def look() -> bool:
        told.append(heart.fault(is_serving=True))
        return are_enough(told)

    until(look)
    return told


def test_one_that_is_stopped_has_to_be_replaced() -> None:
    with running(COMPUTES, "R") as process:
        process.suspend()
        until(lambda: state_of(process.pid) == "T")
        assert {*faults(process, answers=False)} == {"", "is stopped"}
        assert {*faults(process, answers=False, is_serving=False)} == {"", "is stopped"}
