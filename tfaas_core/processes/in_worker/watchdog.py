"""Watchdog: notices that an event loop is blocked, and names the plugin that blocks it."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Collection

from tfaas_core.processes.in_worker.blocker import Blocker, find_blocker
from tfaas_core.system.resources.thread_times import Moment, ThreadTimes

_INTERVAL_S = 0.2
"""How often the event loop gives a sign, and how often that is looked for."""

_LIMIT_S = 0.5
"""An event loop that is later than this is blocked."""

_SILENT_S = 60.0

_log = logging.getLogger("tfaas.watchdog")


class Watchdog:
    """Watches the event loop from a thread of its own.

    It logs who blocks the loop while that is still going on, and again when it is over; of one
    place, once a minute at most. Nobody is to blame if the process was stopped, or its threads got
    no core, for a while.
    """

    def __init__(self, plugins: Collection[str], built_in: Collection[str]) -> None:
        """``plugins`` are the modules of those that are installed, ``built_in`` those of ours."""
        self._plugins = plugins
        self._built_in = built_in
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="tfaas-watchdog", daemon=True)
        self._is_told = False
        self._silent_until_s: dict[tuple[str, str], float] = {}

    def start(self) -> None:
        """Watches the running loop."""
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self._times = ThreadTimes(threading.get_native_id())
        self._give_sign()
        self._thread.start()

    def stop(self) -> None:
        """Called in the loop, as ``start`` was."""
        self._over.set()
        self._thread.join()
        self._times.close()
        self._next.cancel()

    def _give_sign(self) -> None:
        self._sign_s = time.monotonic()
        self._next = self._loop.call_later(_INTERVAL_S, self._give_sign)

    # In the thread.

    def _watch(self) -> None:
        sign_s, excused_s, before = self._sign_s, 0.0, self._times.read()
        blocker: Blocker | None = None
        while not self._over.wait(_INTERVAL_S):
            # First of all: what lets the loop's thread go on makes it leave where it was.
            is_late = self._sign_s == sign_s and _blocked_s(sign_s) >= _LIMIT_S
            found = self._found() if is_late and blocker is None else None
            moment = self._times.read()
            excused_s += _excused_s(before, moment)
            before = moment
            if found is not None and _blocked_s(sign_s) - excused_s >= _LIMIT_S:
                blocker = found
                self._tell_begin(blocker, _blocked_s(sign_s))
            if self._sign_s != sign_s:
                if blocker is not None:
                    self._tell_end(blocker, _blocked_s(sign_s, self._sign_s))
                sign_s, excused_s, blocker = self._sign_s, 0.0, None

    def _found(self) -> Blocker | None:
        return find_blocker(self._loop_thread, self._plugins, self._built_in)

    def _tell_begin(self, blocker: Blocker, blocked_s: float) -> None:
        place, now_s = (blocker.file, blocker.function), time.monotonic()
        silent = {place: end_s for place, end_s in self._silent_until_s.items() if now_s < end_s}
        self._silent_until_s = {place: now_s + _SILENT_S} | silent
        self._is_told = place not in silent
        if self._is_told:
            _log.warning(
                "the event loop is blocked by %s, for %.1f s so far: all requests of this HTTP "
                "worker wait; told once in %d s",
                blocker,
                blocked_s,
                _SILENT_S,
            )

    def _tell_end(self, blocker: Blocker, blocked_s: float) -> None:
        if self._is_told:
            what = "the event loop goes on: it was blocked by %s, for %.1f s"
            _log.warning(what, blocker, blocked_s)


def _blocked_s(sign_s: float, end_s: float | None = None) -> float:
    """For how long the loop has been blocked: since half a turn after its last sign."""
    return (end_s or time.monotonic()) - sign_s - _INTERVAL_S / 2


def _excused_s(before: Moment, now: Moment) -> float:
    """How long the loop's thread could not go on since ``before``, whatever it wanted to do.

    If this thread was late, too, the process was stopped or got no core; unless the loop's thread
    has been computing meanwhile, and has let no other thread do anything.
    """
    late_s = now.now_s - before.now_s - _INTERVAL_S - (now.busy_s - before.busy_s)
    return max(0.0, late_s, now.starved_s - before.starved_s)
