from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from tfaas_core.system.lives.stopped import Stopped, state_of
from tfaas_core.testing.waiting import until

LOOKS = 20


@pytest.fixture
def sleeping() -> Iterator[psutil.Process]:
    command = [sys.executable, "-c", "import time; time.sleep(3600)"]
    with subprocess.Popen(command) as process:
        yield psutil.Process(process.pid)
        process.kill()


def test_one_that_is_stopped_for_long_is_noticed(sleeping: psutil.Process) -> None:
    stopped = Stopped()
    assert not any(stopped.for_long(sleeping.pid) for _ in range(LOOKS))
    sleeping.suspend()
    until(lambda: state_of(sleeping.pid) == "T")
    seen = [stopped.for_long(sleeping.pid) for _ in range(LOOKS)]
    assert seen == sorted(seen)
    assert (seen[0], seen[-1]) == (False, True)
    sleeping.resume()
    until(lambda: state_of(sleeping.pid) != "T")
    assert not any(stopped.for_long(sleeping.pid) for _ in range(LOOKS))


def test_a_short_stop_is_forgotten(sleeping: psutil.Process) -> None:
    stopped = Stopped()
    for _turn in range(3):
        sleeping.suspend()
        until(lambda: state_of(sleeping.pid) == "T")
        assert not any(stopped.for_long(sleeping.pid) for _ in range(3))
        sleeping.resume()
        until(lambda: state_of(sleeping.pid) != "T")
        assert not stopped.for_long(sleeping.pid)


def test_of_one_that_is_gone_nothing_is_said() -> None:
    assert state_of(2**22 + 1) == ""
    assert not any(Stopped().for_long(2**22 + 1) for _ in range(LOOKS))
