"""ToldCrashes: foreign code that crashes the process, which does not go unseen."""

from __future__ import annotations

import faulthandler
from collections.abc import Iterator
from contextlib import contextmanager, suppress


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
