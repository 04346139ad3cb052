"""What counts as the time that a plugin takes: not that in which its process could not run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from tfaas_core.plugins.owned_part import OwnedPart
from tfaas_core.plugins.plugin import Plugin

_STOPPED = """
import os, signal
from tfaas_core.plugins.time_limit import time_limit
with time_limit(0.3, "it hangs"):
    os.kill(os.getpid(), signal.SIGSTOP)
    sum(range(1_000_000))
print("well")
"""

_CROWDED = """
import os, signal, time
from tfaas_core.plugins.time_limit import time_limit
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

def crowd():
    pid = os.fork()
    while pid == 0 and time.process_time() < 10:
        pass
    return pid or os._exit(0)

others = [crowd() for _ in range(5)]
own_s = time.process_time()
try:
    with time_limit(0.2, "it hangs"):
        while time.process_time() - own_s < 0.08:
            pass
finally:
    for pid in others:
        os.kill(pid, signal.SIGKILL)
print("well")
"""


_SEVERAL = """
import threading, time
from tfaas_core.plugins.time_limit import TooLong, time_limit

started = []

class Counted(threading.Thread):
    def start(self):
        started.append(self)
        super().start()

threading.Thread = Counted

def hangs(limit_s):
    try:
        with time_limit(limit_s, "it hangs"):
            threading.Event().wait()
    except TooLong:
        return True

for _ in range(1000):
    with time_limit(60, "it does not"):
        pass
# One, unless the machine is so busy that it ends meanwhile.
assert len(started) < 100
assert hangs(0.05) and hangs(0.05)
with time_limit(60, "it does not"):
    assert hangs(0.05)
    time.sleep(0.3)
while threading.active_count() > 1:
    time.sleep(0.01)
assert hangs(0.05)
print("well")
"""

_DEAF = """
import signal, threading
from tfaas_core.plugins.time_limit import time_limit
with time_limit(0.05, "it hangs"):
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
    threading.Event().wait()
"""


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def test_each_of_several_blocks_has_its_own_limit_and_one_watch_is_enough_for_all() -> None:
    done = run(_SEVERAL)
    assert (done.stdout, done.returncode) == ("well\n", 0), done.stderr


def test_whoever_is_deaf_to_the_interruption_ends_with_last_words() -> None:
    done = run(_DEAF)
    assert (done.stderr, done.returncode) == ("it hangs\n", 1)


def test_a_process_that_was_stopped_has_not_taken_long() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _STOPPED], stdout=subprocess.PIPE, text=True
    ) as process:
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)
        # For longer than the limit.
        time.sleep(0.4)
        process.send_signal(signal.SIGCONT)
        told, _ = process.communicate()
    assert (told, process.returncode) == ("well\n", 0)


def test_nor_has_one_that_gets_no_core() -> None:
    done = run(_CROWDED)
    assert (done.stdout, done.returncode) == ("well\n", 0), done.stderr


def test_without_a_thread_to_tell_of_it_a_part_starts_and_ends_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", fails)
    part, done = OwnedPart(Plugin("tapes", "tapes", "1.0"), "storage `tape`"), list[str]()
    part.start("opening", lambda: done.append("open"))
    part.end(lambda: done.append("closed"))
    assert done == ["open", "closed"]
