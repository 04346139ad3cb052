"""Signals: what child processes must not inherit the wrong way."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


def block_sigint() -> None:
    """From now on, Ctrl-C does not reach this thread, nor the processes that it starts."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


@contextmanager
def sigint_blocked() -> Iterator[None]:
    """Processes started in the block never see Ctrl-C, not even while they are being set up.

    The terminal sends it to every process of the group; only the parent is to act on it.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
