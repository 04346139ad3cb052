"""A limit for the tests of a suite: whatever what they test does, they end."""

from __future__ import annotations

import faulthandler
import os
import reprlib
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from types import FrameType
from typing import Any, ClassVar

import pytest

from tfaas_core.system.resources.thread_times import starved_s

_SUITES = "tfaas_core.testing"
_AGAIN_S = 1.0
"""What hangs may have swallowed the first failure: it is raised again and again."""
_LIMITS_OF_THE_LAST_RESORT = 5
_GRACE_S = 300.0
"""A call into C that no exception can end is ended with the process, after so many limits, and so
long: the time in which there is no core counts here."""
_OF_OTHERS = sys.stdlib_module_names | {"numpy", "pytest", "_pytest", "pluggy", "tfaas_core"}


class TimeLimited:
    """Tests that fail if they have not ended in time, and say what has not come back."""

    limit_s: ClassVar[float] = 120.0
    """How long each test may take, but for the time in which it could run, and got no core. After
    one that took longer, the others have a tenth of it."""

    forks: ClassVar[bool] = False
    """Whether its tests fork this process, in which no other thread may be then."""

    _has_hung: ClassVar[bool] = False

    @pytest.fixture(autouse=True)
    def _ends_in_time(self, request: pytest.FixtureRequest) -> Iterator[None]:
        limit_s = self.limit_s * (0.1 if self._has_hung else 1.0)
        begin_s, starved_before = time.monotonic(), _starved_s()

        def hang(_number: int, frame: FrameType | None) -> None:
            took_s = time.monotonic() - begin_s - _starved_since_s(starved_before)
            if (left_s := limit_s - took_s) > 0:
                signal.setitimer(signal.ITIMER_REAL, left_s, _AGAIN_S)
            elif case := _case(frame):
                type(self)._has_hung = True
                pytest.fail(f"not ended after {limit_s:g} s: {case} has not come back")

        # Signals reach the main thread only. Whoever has set a timer has a limit of his own, and
        # whoever looks around in a debugger has none.
        is_main = threading.current_thread() is threading.main_thread()
        is_debugged = request.config.getoption("usepdb", default=False)
        if not is_main or is_debugged or signal.getitimer(signal.ITIMER_REAL)[0]:
            yield
            return
        last_s = _LIMITS_OF_THE_LAST_RESORT * limit_s + _GRACE_S
        last = nullcontext() if self.forks else _last_resort(request, last_s)
        with last, _alarm(hang, limit_s):
            yield


def _starved_s() -> dict[int, float]:
    """For how long each thread of this process has waited for a core."""
    threads = map(int, os.listdir("/proc/self/task"))
    return {thread: starved_s(os.getpid(), thread) for thread in threads}


def _starved_since_s(before: Mapping[int, float]) -> float:
    """For how long threads have waited since; those that have ended meanwhile count for nothing."""
    return sum(max(now - before.get(thread, 0.0), 0.0) for thread, now in _starved_s().items())


@contextmanager
def _alarm(handler: Any, limit_s: float) -> Iterator[None]:
    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, limit_s, _AGAIN_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def _last_resort(request: pytest.FixtureRequest, limit_s: float) -> Iterator[None]:
    """Ends the process, and shows where it is, past what pytest captures."""
    capturing = request.config.pluginmanager.getplugin("capturemanager")
    with capturing.global_and_fixture_disabled() if capturing else nullcontext():
        stderr = os.dup(2)
    faulthandler.dump_traceback_later(limit_s, exit=True, file=stderr)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        os.close(stderr)


def _case(frame: FrameType | None) -> str:
    """The call, with its arguments, that a suite has made and that has not come back.

    Empty if no suite is at work: then pytest is, and tells of a failure.
    """
    called = None
    while frame is not None and not _is_of_a_suite(frame):
        module = str(frame.f_globals.get("__name__"))
        called = called if module.partition(".")[0] in _OF_OTHERS else frame
        frame = frame.f_back
    if frame is None or called is None:
        return "" if frame is None else "the test"
    return f"{called.f_code.co_qualname}({', '.join(_arguments(called))})"


def _is_of_a_suite(frame: FrameType) -> bool:
    module = str(frame.f_globals.get("__name__"))
    return module.startswith(_SUITES) or isinstance(frame.f_locals.get("self"), TimeLimited)


def _arguments(frame: FrameType) -> Iterator[str]:
    names = frame.f_code.co_varnames[: frame.f_code.co_argcount]
    for name in names:
        if name != "self":
            yield f"{name}={reprlib.repr(frame.f_locals.get(name))}"
