"""Watcher: notices what is changed in the storage, by this server or by others that share it."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable

from tfaas_core.errors import TfaasError
from tfaas_core.plugins.owned_part import OwnedPart
from tfaas_core.storage import Storage

_SLICE_S = 0.25
"""How long the thread waits for a change before it looks whether it shall end."""

_RETRY_S = 0.5

_UNASKED_S = 30.0
"""A server that was killed amid a change may have had no time to tell of it."""

_END_TIMEOUT_S = 2.0

_SILENT_S = 10.0
"""A storage is asked several times a second: one that is silent for so long does not answer."""

_log = logging.getLogger("tfaas.storage")


class Watcher:
    """A thread that waits for changes. All methods belong to the event loop."""

    def __init__(self, part: OwnedPart, storage: Storage, changed: Callable[[], None]) -> None:
        """``part`` is the ``storage`` as its plugin's.

        ``changed`` is called in the event loop: after changes, and when the storage is lost or
        found again.
        """
        self._part = part
        self._storage = storage
        self._changed = changed
        self._loop = asyncio.get_running_loop()
        self._stop = threading.Event()
        self._is_lost = False
        self._answered_s = time.monotonic()
        # If the storage does not answer, nobody waits for it at the end.
        self._thread = threading.Thread(target=self._watch, name="tfaas-watcher", daemon=True)

    def start(self) -> None:
        """Begins to watch."""
        self._thread.start()

    @property
    def fault(self) -> str:
        """Why the storage cannot be read, a clause; empty if it can. The log says more."""
        if self._is_lost:
            return "the model storage cannot be read"
        if time.monotonic() > self._answered_s + _SILENT_S:
            return "the model storage does not answer"
        return ""

    async def stop(self) -> None:
        """Ends the watching."""
        self._stop.set()
        await asyncio.to_thread(self._thread.join, _END_TIMEOUT_S)

    def _watch(self) -> None:
        # None: nothing is known. What changed before the first look, the workers may have missed.
        seen: str | None = None
        told_s = time.monotonic()
        while not self._stop.is_set():
            try:
                revision = self._storage.wait_for_change(seen or "", _SLICE_S)
            # Whatever it is, to end would mean to notice no change ever again.
            except BaseException as error:
                if not self._is_lost:
                    self._warn(error)
                    self._tell()
                self._is_lost = True
                self._stop.wait(_RETRY_S)
                continue
            self._answered_s = time.monotonic()
            if self._is_lost:
                _log.warning("the model storage is back")
            if self._is_lost or revision != seen or time.monotonic() > told_s + _UNASKED_S:
                self._tell()
                told_s = time.monotonic()
            seen, self._is_lost = revision, False

    def _warn(self, error: BaseException) -> None:
        what = "storage unreadable; serving the models already known: %s"
        if isinstance(error, TfaasError):
            _log.warning(what, error.message)
        else:
            doing = f"looking for changes in the {self._part.name}"
            _log.warning(what, self._part.blamed(doing, error), exc_info=error)

    def _tell(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._changed)
        except RuntimeError:
            self._stop.set()  # the loop has ended
