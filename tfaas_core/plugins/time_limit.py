"""TimeLimit: foreign code that is to come back, and what happens while it does not."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from tfaas_core.system.resources.thread_times import starved_s

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
    block = _Block(limit_s, last_words)

    def interrupt(*signalled: Any) -> None:
        if not block.is_over and is_foreign():
            raise TooLong
        if callable(previous):
            previous(*signalled)

    previous = signal.signal(signal.SIGALRM, interrupt)
    try:
        _watch.begins(block)
        yield
    finally:
        _watch.ends(block)
        # That of a block which began later, and is not over, passes on what is not its own.
        if signal.getsignal(signal.SIGALRM) is interrupt:
            signal.signal(signal.SIGALRM, previous)


@contextmanager
def told_of(tell: Callable[[float], None]) -> Iterator[None]:
    """Calls ``tell``, in a thread, every 10 s that the block takes: with how many these are.

    If no thread can be started, the block runs all the same.
    """
    over = threading.Event()
    watch = threading.Thread(target=_tell, args=(over, tell), daemon=True)
    with suppress(RuntimeError):
        watch.start()
    try:
        yield
    finally:
        over.set()
        if watch.ident is not None:
            watch.join()


def _tell(over: threading.Event, tell: Callable[[float], None]) -> None:
    taken_s = 0.0
    while not over.wait(TELL_EVERY_S):
        taken_s += TELL_EVERY_S
        tell(taken_s)


class _Block:
    """A block with a limit, as the main thread and the watch see it."""

    def __init__(self, limit_s: float, last_words: str) -> None:
        self.left_s = limit_s
        self.last_words = last_words
        self.is_seen = False
        self.is_over = False
        self.is_interrupted = False
        self.was_interrupted = False


class _Watch:
    """A thread that looks at all blocks, as long as there are any: most are over in no time.

    Start-up has two hundred of them in a process, and a thread for each would cost more than they
    do. There are no locks: the main thread may be interrupted anywhere, with one in its hands.
    """

    def __init__(self) -> None:
        self._blocks: list[_Block] = []
        self._watching: object = None

    def begins(self, block: _Block) -> None:
        self._blocks.append(block)
        if self._watching is None:
            self._watching = turn = object()
            try:
                threading.Thread(target=self._look, args=(turn,), daemon=True).start()
            except BaseException:
                self._watching = None
                raise

    def ends(self, block: _Block) -> None:
        """From now on, nothing is interrupted for its sake."""
        block.is_over = True
        if block.is_interrupted:
            # The signal is on its way, and has to come before its handler goes.
            while not block.was_interrupted:
                time.sleep(0)
            time.sleep(0)
        self._drops(block)

    def _drops(self, block: _Block) -> None:
        with suppress(ValueError):  # the other thread has just done so
            self._blocks.remove(block)

    def forgets(self) -> None:
        """In a process that was forked: its watch is the other's."""
        self._blocks.clear()
        self._watching = None

    def _look(self, turn: object) -> None:
        main = threading.main_thread()
        waited_s = starved_s(os.getpid())
        while self._watching is turn:
            least_s = min((block.left_s for block in self._blocks), default=_LOOK_EVERY_S)
            look_s = max(_SHORTEST_LOOK_S, min(_LOOK_EVERY_S, least_s))
            time.sleep(look_s)
            # Looks are counted, not times: while the process is stopped, there are none.
            before_s, waited_s = waited_s, starved_s(os.getpid())
            for block in list(self._blocks):
                _looks_at(block, max(0.0, look_s - (waited_s - before_s)), main)
                if block.is_over:
                    self._drops(block)
            if not self._blocks and self._watching is turn:
                self._watching = None
                # One may have begun before that, and relied on this watch.
                if self._blocks and self._watching is None:
                    self._watching = turn


def _looks_at(block: _Block, took_s: float, main: threading.Thread) -> None:
    if not block.is_seen:
        block.is_seen = True  # it began amid the look
        return
    block.left_s -= took_s
    if block.is_over or block.left_s > 0:
        return
    if block.was_interrupted:
        sys.stderr.write(f"{block.last_words}\n")
        sys.stderr.flush()
        os._exit(1)
    block.is_interrupted = True
    if not block.is_over:
        assert main.ident is not None
        block.left_s = _GRACE_S
        signal.pthread_kill(main.ident, signal.SIGALRM)
    block.was_interrupted = True


_watch = _Watch()
os.register_at_fork(after_in_child=_watch.forgets)
