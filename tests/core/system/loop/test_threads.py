"""Threads that cannot be started."""

from __future__ import annotations

import resource
import threading
from concurrent.futures import Future
from pathlib import Path

import pytest

from tfaas_core.system.loop.threads import Threads
from tfaas_core.testing.children import apart

STACK_BYTES = 1 << 28
"""More than the C library keeps of threads that have ended."""


def test_work_that_no_thread_can_be_started_for_is_refused_and_never_done() -> None:
    apart(refuse_without_room)


def refuse_without_room() -> None:
    """In a process of its own, which has no room for the stack of a thread."""
    threading.stack_size(STACK_BYTES)
    here = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limits = resource.getrlimit(resource.RLIMIT_AS)
    threads, done = Threads(1), list[str]()
    resource.setrlimit(resource.RLIMIT_AS, (here + STACK_BYTES // 2, limits[1]))
    with pytest.raises(RuntimeError, match="can't start new thread"):
        threads.submit(done.append, "refused")
    resource.setrlimit(resource.RLIMIT_AS, limits)
    threads.submit(done.append, "taken").result(60)
    assert done == ["taken"]


def test_what_work_returns_and_raises_is_its_futures() -> None:
    with Threads(1) as threads:
        assert threads.submit(divmod, 7, 2).result(60) == (3, 1)
        failed: Future[float] = threads.submit(lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            failed.result(60)
