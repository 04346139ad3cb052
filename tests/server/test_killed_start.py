"""SIGKILL at any moment of the start leaves no process behind."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tfaas_core.testing.forked import is_alive
from tfaas_core.testing.waiting import until

MARK = "TFAAS_KILLED_START"
LONGEST_START_S = 3.0


def family(mark: str) -> list[psutil.Process]:
    """The processes that were started with ``mark`` in their environment."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get(MARK) == mark and is_alive(process):
                found.append(process)
    return found


@pytest.mark.parametrize("turn", range(5))
def test_nothing_is_left_a_second_after_a_start_was_killed(tmp_path: Path, turn: int) -> None:
    mark = f"{os.getpid()}-{turn}"
    options = ["--set", "server.port=0", "--set", f"storage.root={tmp_path}"]
    process = subprocess.Popen(
        [sys.executable, "-m", "tfaas_core", "serve", *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {MARK: mark},
    )
    # A moment for each turn: while the parent starts, while the others do, or when all is ready.
    moment_s = random.uniform(turn, turn + 1) * LONGEST_START_S / 5
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(moment_s)
    assert family(mark)
    process.kill()
    process.wait()
    until(lambda: family(mark) == [], within_s=1.0)
