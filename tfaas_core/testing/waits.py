"""Waits: whether a call waits for anything, as the kernel and the interpreter tell."""

from __future__ import annotations

import resource
import sys
import threading
from collections.abc import Callable
from functools import cache

_WAITING = ("open", "time.sleep", "subprocess.Popen", "os.system", "socket.")
"""The audit events of what may take any time, or how their names begin."""


class _Ear(threading.local):
    """What this thread has heard of audit events, while it listens."""

    heard: list[str] | None = None


def waits_of(call: Callable[[], object]) -> list[str]:
    """What ``call`` has waited for, a word each; empty if for nothing.

    Only what it does in this thread. A machine that is busy may add a wait of its own, so ask more
    than once.
    """
    ear = _ear()
    before = resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw
    heard: list[str] = []
    ear.heard = heard
    try:
        call()
    finally:
        ear.heard = None
    switches = resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw - before
    return heard + ["something"] * switches


@cache
def _ear() -> _Ear:
    # An audit hook cannot be taken away again, so there is one.
    ear = _Ear()

    def hear(event: str, _arguments: object) -> None:
        if ear.heard is not None and event.startswith(_WAITING):
            ear.heard.append(event)

    sys.addaudithook(hear)
    return ear
