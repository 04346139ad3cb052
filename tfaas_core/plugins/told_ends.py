"""Told ends: foreign code that ends the process by ``os._exit`` or a crash does not go unseen."""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

_exit_at_once = os._exit


@contextmanager
def told_exits(last_words: str, is_foreign: Callable[[], bool] = lambda: True) -> Iterator[None]:
    """If the block, in its own thread, calls ``os._exit`` while ``is_foreign``, it is told.

    Then ``last_words`` go to stderr, and the process ends with 1 if it was to end with 0, which
    would look like success. A process that is forked in the block ends as it likes.
    """
    owner = os.getpid(), threading.get_ident()
    is_over = False

    def told(status: int) -> NoReturn:
        if is_over or (os.getpid(), threading.get_ident()) != owner or not is_foreign():
            _exit_at_once(status)
        sys.stderr.write(f"{last_words}\n")
        sys.stderr.flush()
        _exit_at_once(status or 1)

    before = os._exit
    os._exit = told
    try:
        yield
    finally:
        # Whoever has it keeps it.
        is_over = True
        os._exit = before


@contextmanager
def told_crashes() -> Iterator[None]:
    """If a signal such as SIGSEGV ends the process in the block, the lines it was in go to stderr.

    They name the files of the plugin; nothing else can be said any more.
    """
    if faulthandler.is_enabled():  # by somebody who wants to know it all the time
        yield
        return
    with suppress(OSError, ValueError, RuntimeError):  # a stderr that is no file
        faulthandler.enable(all_threads=False)
    try:
        yield
    finally:
        faulthandler.disable()
