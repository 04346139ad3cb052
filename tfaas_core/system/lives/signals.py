"""Signals: what child processes must not inherit the wrong way, and what must not end a server."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
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


def hold_hang_ups() -> None:
    """SIGHUP waits from now on until ``hang_ups_taken``: it would end this process."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})


@contextmanager
def hang_ups_taken(take: Callable[[], object]) -> Iterator[None]:
    """``take`` is called in the block for SIGHUP, and for one that has waited.

    Thereafter it waits again. Called in the event loop of the main thread.
    """
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, take)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
    try:
        yield
    finally:
        hold_hang_ups()
        loop.remove_signal_handler(signal.SIGHUP)
