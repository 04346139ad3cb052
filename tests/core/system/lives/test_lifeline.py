"""A process that is tied ends with the owner of its lifeline, whatever it is doing."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable

import psutil

from tfaas_core.system.lives.lifeline import Lifeline, LifelineEnd, tied
from tfaas_core.testing.children import Child, Report
from tfaas_core.testing.forked import is_alive
from tfaas_core.testing.waiting import until

# Of this process alone: others may run the same tests.
CHILD, FORK = f"tied-{os.getpid()}", f"fork-{os.getpid()}"


def compute_for_ever() -> None:
    while True:
        # One call that keeps the interpreter's lock, as some libraries' imports do.
        sum(range(10**9))


def fork_and_compute(end: LifelineEnd, name: str) -> None:
    """Forks a tied process, and ends."""
    if os.fork() == 0:
        end.tie(name)
        compute_for_ever()
    os._exit(0)


def own(main: Callable[..., None], *arguments: object) -> Callable[[Report], None]:
    """Has a process of a lifeline's owner do ``main``; reports the pid of what will do it."""

    def work(report: Report) -> None:
        lifeline = Lifeline()
        end = lifeline.end(CHILD)
        given = tuple(end if argument == "end" else argument for argument in arguments)
        context = multiprocessing.get_context("spawn")
        context.Process(target=tied, args=(end, main, *given), daemon=True).start()
        report("started")
        signal.pause()

    return work


def named(name: str) -> list[psutil.Process]:
    return [p for p in psutil.process_iter(["name"]) if p.info["name"] == name and is_alive(p)]


def test_a_process_that_computes_ends_with_the_owner() -> None:
    owner = Child(own(compute_for_ever))
    assert owner.report() == ["started"]
    until(lambda: len(named(CHILD)) == 1)
    owner.kill()
    until(lambda: named(CHILD) == [])


def test_a_forked_process_outlives_its_parent_but_not_the_owner() -> None:
    owner = Child(own(fork_and_compute, "end", FORK))
    assert owner.report() == ["started"]
    until(lambda: len(named(FORK)) == 1 and named(CHILD) == [])
    assert len(named(FORK)) == 1
    owner.kill()
    until(lambda: named(FORK) == [])


def test_closing_the_lifeline_ends_those_who_are_tied() -> None:
    lifeline = Lifeline()
    process = multiprocessing.get_context("spawn").Process(
        target=tied, args=(lifeline.end(CHILD), compute_for_ever), daemon=True
    )
    process.start()
    until(lambda: len(named(CHILD)) == 1)
    lifeline.close()
    process.join(30.0)
    assert process.exitcode == -signal.SIGKILL
