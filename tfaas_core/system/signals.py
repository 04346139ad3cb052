"""Signals: what child processes must not inherit the wrong way."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def stop_signals_blocked() -> Iterator[None]:
    """Processes started in the block never see Ctrl-C or SIGTERM, not even while they are set up.

    A terminal, and whatever stops services, sends them to every process of the group; only the
    parent is to act on them.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
