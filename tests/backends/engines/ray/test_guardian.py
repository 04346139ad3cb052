"""The guardian ends what a program has started, however that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import psutil
import pytest

from tfaas_core.testing.forked import is_alive
from tfaas_core.testing.waiting import until

_LEAVES_ONE_BEHIND = """
import subprocess
left = subprocess.Popen(["sleep", "1000"], start_new_session=True, stdout=subprocess.DEVNULL)
print(left.pid, flush=True)
"""

_PROGRAM = """
import os, subprocess, sys
from tfaas_backends.engines.ray import guardian

guardian.LOOK_EVERY_S = 0.05

def main():
    subprocess.run([sys.executable, "-c", sys.argv[1]])
    print(os.getpid(), flush=True)
    sys.stdin.read()
    sys.exit(3)

guardian.guard(0, main)
"""


@pytest.fixture
def program() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, _LEAVES_ONE_BEHIND],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGSTOP, None])
def test_nothing_is_left_of_what_was_started(
    program: subprocess.Popen[str], by: signal.Signals | None
) -> None:
    with program:
        assert program.stdout is not None
        assert program.stdin is not None
        pids = [int(program.stdout.readline()) for _line in range(2)]
        processes = [psutil.Process(pid) for pid in pids]
        if by is not None:
            processes[1].send_signal(by)
        else:
            program.stdin.close()
        until(lambda: not any(map(is_alive, processes)), 60, "both have ended")
        assert program.wait(60) != 0


def test_the_program_is_not_of_the_callers_session(program: subprocess.Popen[str]) -> None:
    with program:
        assert program.stdout is not None
        sleeping, own = (int(program.stdout.readline()) for _line in range(2))
        assert os.getsid(own) == program.pid
        assert os.getsid(sleeping) == sleeping
