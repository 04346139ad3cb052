"""Threads that outlast a command: those of plugins, which nobody would end."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time

_LIMIT_S = 1.0
"""As long as what ends by itself may take."""


def end_without_waiting(status: int) -> None:
    """Ends the process with ``status`` if threads go on, which Python would wait for, for ever.

    A line on stderr names each, and where it is. Returns if there are none.
    """
    ends_s = time.monotonic() + _LIMIT_S
    main = threading.main_thread()
    threads = [thread for thread in threading.enumerate() if not thread.daemon]
    for thread in threads:
        if thread is not main:
            thread.join(max(0.0, ends_s - time.monotonic()))
    going_on = [thread for thread in threads if thread is not main and thread.is_alive()]
    if not going_on:
        return
    for thread in going_on:
        what = f"the thread {thread.name!r}, which is in {_place_of(thread)}, was not waited for"
        print(f"tfaas: warning: {what}; let a plugin end its threads", file=sys.stderr)
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _place_of(thread: threading.Thread) -> str:
    """The outermost function of the thread that is not Python's own way to start one."""
    frame = sys._current_frames().get(thread.ident or 0)
    place = "no Python"
    while frame is not None:
        code = frame.f_code
        if code.co_filename != threading.__file__:
            place = f"{code.co_qualname} ({code.co_filename}:{frame.f_lineno})"
        frame = frame.f_back
    return place
