"""The process of an HTTP worker, by whomever it was started."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from multiprocessing.context import SpawnProcess
from typing import Protocol

from tfaas_core.system.lives.ending import Ending

_ENDING_TIMEOUT_S = 1.0


class WorkerBody(Protocol):
    """``sentinel`` can be read once it has ended."""

    @property
    def pid(self) -> int | None: ...

    @property
    def sentinel(self) -> int: ...

    def kill(self) -> None:
        """Ends it at once, unless it has ended."""

    async def buried(self) -> Ending:
        """How it ended, which the sentinel has told that it has. The sentinel is closed."""


class SpawnedWorker:
    """A process that this one has started."""

    def __init__(self, process: SpawnProcess) -> None:
        self._process = process

    @property
    def pid(self) -> int | None:
        return self._process.pid

    @property
    def sentinel(self) -> int:
        return self._process.sentinel

    def kill(self) -> None:
        self._process.kill()

    async def buried(self) -> Ending:
        self._process.join()
        return Ending(self._process.exitcode)


class ForkedWorker:
    """A process that the worker server has forked. ``handle``: its pidfd, to be owned.

    ``ending`` is done once the server has told how it ended, or cannot any more.
    """

    def __init__(self, pid: int, handle: int, ending: asyncio.Future[Ending]) -> None:
        self.pid = pid
        self.sentinel = handle
        self._ending = ending
        self._has_ended = False

    def kill(self) -> None:
        if not self._has_ended:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.sentinel, signal.SIGKILL)

    async def buried(self) -> Ending:
        self._has_ended = True
        os.close(self.sentinel)
        try:
            return await asyncio.wait_for(asyncio.shield(self._ending), _ENDING_TIMEOUT_S)
        except TimeoutError:
            return Ending()
