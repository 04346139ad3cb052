"""Guardian: sees to it that nothing is left of a driver, nor of what it has started."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tfaas_core.sandbox.kernel import prctl
from tfaas_core.system.lives.stopped import LOOK_EVERY_S, Stopped

_SET_PARENT_DEATH_SIGNAL = 1
_SET_CHILD_SUBREAPER = 36

_LEAVE_LIMIT_S = 15.0
"""How long the driver may take to end once the parent has hung up."""
_END_LIMIT_S = 10.0


def guard(line: int, main: Callable[[], None]) -> None:
    """Runs ``main`` in a child, and does not return.

    It ends as the child does, once all that came of that has ended. If whoever holds the other end
    of ``line``, a pipe or a socket, is gone, even by SIGKILL, the child has a while to notice, and
    is killed then. So is a child that somebody has stopped (SIGSTOP).
    """
    os.setsid()  # Ctrl-C at a terminal is the parent's to heed: processes of Ray would end by it
    # What Ray's processes leave behind becomes a child of this one.
    prctl(_SET_CHILD_SUBREAPER, 1)
    child = os.fork()
    if child == 0:
        prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
        main()
        os._exit(0)
    code = _code_of(child, line)
    _end_children()
    os._exit(code)


def _code_of(child: int, line: int) -> int:
    """The child's exit code; it is killed if it does not end in time."""
    ending, hanging_up = select.poll(), select.poll()
    process = os.pidfd_open(child)
    for poll in (ending, hanging_up):
        poll.register(process, select.POLLIN)
    hanging_up.register(line, select.POLLRDHUP)
    stopped = Stopped()
    while not hanging_up.poll(LOOK_EVERY_S * 1000):
        if stopped.for_long(child):
            os.kill(child, signal.SIGKILL)
    if not ending.poll(_LEAVE_LIMIT_S * 1000):
        os.kill(child, signal.SIGKILL)
    _pid, status = os.waitpid(child, 0)
    return max(0, os.waitstatus_to_exitcode(status)) or int(os.WIFSIGNALED(status))


def _end_children() -> None:
    """Ends all that are left, and those that become this process's children then."""
    deadline_s = time.monotonic() + _END_LIMIT_S
    while time.monotonic() < deadline_s:
        for pid in _children():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _children() -> list[int]:
    tasks = Path("/proc/self/task").glob("*/children")
    return [int(pid) for task in tasks for pid in task.read_text().split()]
