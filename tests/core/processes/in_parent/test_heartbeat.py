from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from tfaas_core.processes.in_parent.heartbeat import SHORTEST_S, Heartbeat
from tfaas_core.system.lives.stopped import LOOK_EVERY_S, state_of
from tfaas_core.testing.waiting import until

LOOKS = round(3 * SHORTEST_S / LOOK_EVERY_S)
SLEEPS = "import time; time.sleep(3600)"
COMPUTES = "while True: pass"


@contextmanager
def running(code: str, state: str) -> Iterator[psutil.Process]:
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        until(lambda: state_of(process.pid) == state)
        try:
            yield psutil.Process(process.pid)
        finally:
            process.kill()


def faults(process: psutil.Process, answers: bool, is_serving: bool = True) -> set[str]:
    """What is said of a process, which answers each question or none."""
    heart = Heartbeat(process.pid, lambda: asked.append(True), limit_s=SHORTEST_S)
    asked: list[bool] = []
    found = set()
    for _look in range(LOOKS):
        found.add(heart.fault(is_serving))
        if answers and asked:
            asked.clear()
            heart.answered()
    return found - {""}


def test_one_that_answers_nothing_and_sleeps_has_to_be_replaced() -> None:
    with running(SLEEPS, "S") as process:
        first, *_ = sorted(faults(process, answers=False))
        assert first == "has answered nothing and done nothing for 10 s"
        assert faults(process, answers=True) == set()
        assert faults(process, answers=False, is_serving=False) == set()


def test_one_that_computes_is_left_alone() -> None:
    with running(COMPUTES, "R") as process:
        assert faults(process, answers=False) == set()


def test_one_that_is_stopped_has_to_be_replaced() -> None:
    with running(COMPUTES, "R") as process:
        process.suspend()
        until(lambda: state_of(process.pid) == "T")
        assert faults(process, answers=False) == {"is stopped"}
        assert faults(process, answers=False, is_serving=False) == {"is stopped"}
