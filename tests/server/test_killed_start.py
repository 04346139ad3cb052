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

MARK = "MARK_OF_A_KILLED_START"
FAMILY = 6
"""The parent, the tracker of resources, the fork server, the worker server and two HTTP workers."""


def family(mark: str) -> list[psutil.Process]:
    """The processes that were started with ``mark`` in their environment."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get(MARK) == mark and is_alive(process):
                found.append(process)
    return found


# The kernel shows the variables that a process was started with, which a fork has not been.
@pytest.mark.fresh_python
@pytest.mark.parametrize("members", range(1, FAMILY + 1))
def test_nothing_is_left_of_a_start_that_was_killed(tmp_path: Path, members: int) -> None:
    mark = f"{os.getpid()}-{members}"
    settings = ["server.port=0", "server.workers=2", f"storage.root={tmp_path}"]
    settings.append(f'engine.environment=["{MARK}"]')
    options = [word for setting in settings for word in ("--set", setting)]
    process = subprocess.Popen(
        [sys.executable, "-m", "tfaas_core", "serve", *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {MARK: mark},
    )
    try:
        until(lambda: len(family(mark)) >= members)
        # Some moment while the newest of them starts.
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(random.uniform(0, 0.5))
    finally:
        process.kill()
        process.wait()
    # A process cannot be tied before Python has started in it, which takes long on a busy machine.
    until(lambda: family(mark) == [])
