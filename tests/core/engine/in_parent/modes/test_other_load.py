"""Whether other programs kept processes waiting for a core."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tfaas_core.engine.in_parent.modes import other_load
from tfaas_core.engine.in_parent.modes.other_load import OtherLoad
from tfaas_core.system.resources.idle_cores import IdleCores
from tfaas_core.system.resources.thread_times import Moment, moment_of
from tfaas_core.testing.waiting import until

ON_ONE_CORE = f"import os; os.sched_setaffinity(0, {{{min(os.sched_getaffinity(0))}}})"


@contextmanager
def running(code: str) -> Iterator[int]:
    """The pid of a process that does this, on the same core as all others here."""
    with subprocess.Popen([sys.executable, "-c", f"{ON_ONE_CORE}\n{code}"]) as process:
        try:
            yield process.pid
        finally:
            process.kill()


def waited_s(pid: int) -> float:
    return moment_of([pid]).starved_s


def test_who_has_to_share_a_core_feels_it() -> None:
    burns = "while True: pass"
    with running(burns) as pid, running(burns) as other:
        until(lambda: min(waited_s(pid), waited_s(other)) > 0.05, what="both wait for the core")
        load, before_s = OtherLoad([pid]), waited_s(pid)
        until(lambda: waited_s(pid) > before_s + 0.1, what="one waits for the other")
        assert load.is_felt()


@pytest.mark.parametrize(
    ("idle_cores", "own_s", "is_felt"),
    [(0.0, 1.0, True), (1.0, 1.0, False), (0.0, 2.0, False)],
    ids=["others have a core", "a core is idle", "its own threads have both"],
)
def test_it_is_others_that_have_the_cores(
    monkeypatch: pytest.MonkeyPatch, idle_cores: float, own_s: float, is_felt: bool
) -> None:
    moments = iter([Moment(0.0), Moment(1.0, own_s, 0.5)])
    monkeypatch.setattr(other_load, "moment_of", lambda _pids: next(moments))
    monkeypatch.setattr(IdleCores, "since", lambda _self, _now_s: idle_cores)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1})
    assert OtherLoad([1]).is_felt() is is_felt


def test_who_wants_no_core_feels_nothing() -> None:
    assert not OtherLoad([2**30]).is_felt()
