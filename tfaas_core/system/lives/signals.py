"""Signals: what child processes must not inherit the wrong way."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

_PARENTS = {signal.SIGHUP, signal.SIGINT, signal.SIGTERM}


@contextmanager
def stop_signals_blocked() -> Iterator[None]:
    """Processes started in the block never see Ctrl-C, SIGTERM or SIGHUP, at their set-up neither.

    A terminal, and whatever stops services, sends them to every process of the group; only the
    parent is to act on them.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _PARENTS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
