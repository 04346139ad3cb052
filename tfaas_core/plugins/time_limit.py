"""TimeLimit: foreign code that is to come back, and what happens while it does not."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

TELL_EVERY_S = 10.0
"""How often somebody who waits is told for what."""

_GRACE_S = 2.0
_LOOK_EVERY_S = 0.1
_SHORTEST_LOOK_S = 0.01


class TooLong(BaseException):
    """The block did not end in time. No Exception, so that foreign code hardly catches it."""


@contextmanager
def time_limit(
    limit_s: float, last_words: str, is_foreign: Callable[[], bool] = lambda: True
) -> Iterator[None]:
    """Raises TooLong in the block after ``limit_s`` seconds, if what runs then ``is_foreign``.

    The time in which the process was stopped, or got no core on a busy machine, does not count.

    If the block does not heed that, because it waits inside a C function, say, then ``last_words``
    go to stderr and the process ends with 1. There is no limit outside the main thread, which alone
    can be interrupted. Blocks of several tasks may overlap: each has its own limit.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    over = threading.Event()

    def interrupt(*signalled: Any) -> None:
        if not over.is_set() and is_foreign():
            raise TooLong
        if callable(previous):
            previous(*signalled)

    previous = signal.signal(signal.SIGALRM, interrupt)
    watch = threading.Thread(target=_watch, args=(over, limit_s, last_words), daemon=True)
    watch.start()
    try:
        yield
    finally:
        over.set()
        watch.join()
        # That of a block which began later, and is not over, passes on what is not its own.
        if signal.getsignal(signal.SIGALRM) is interrupt:
            signal.signal(signal.SIGALRM, previous)


@contextmanager
def told_of(tell: Callable[[float], None]) -> Iterator[None]:
    """Calls ``tell``, in a thread, every 10 s that the block takes: with how many these are."""
    over = threading.Event()
    watch = threading.Thread(target=_tell, args=(over, tell), daemon=True)
    watch.start()
    try:
        yield
    finally:
        over.set()
        watch.join()


def _tell(over: threading.Event, tell: Callable[[float], None]) -> None:
    taken_s = 0.0
    while not over.wait(TELL_EVERY_S):
        taken_s += TELL_EVERY_S
        tell(taken_s)


def _watch(over: threading.Event, limit_s: float, last_words: str) -> None:
    main = threading.main_thread()
    assert main.ident is not None
    left_s, waited_s = limit_s, _waited_for_a_core_s(main)
    while left_s > 0:
        look_s = max(_SHORTEST_LOOK_S, min(_LOOK_EVERY_S, left_s))
        if over.wait(look_s):
            return
        # Looks are counted, not times: while the process is stopped, there are none.
        before_s, waited_s = waited_s, _waited_for_a_core_s(main)
        left_s -= max(0.0, look_s - (waited_s - before_s))
    signal.pthread_kill(main.ident, signal.SIGALRM)
    if not over.wait(_GRACE_S):
        sys.stderr.write(f"{last_words}\n")
        sys.stderr.flush()
        os._exit(1)


def _waited_for_a_core_s(thread: threading.Thread) -> float:
    """For how long ``thread`` could have run, and did not; 0 if nobody counts that."""
    try:
        told = Path(f"/proc/self/task/{thread.native_id}/schedstat").read_text(encoding="ascii")
        return int(told.split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0
