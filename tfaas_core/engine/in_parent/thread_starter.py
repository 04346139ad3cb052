"""ThreadStarter: what a model process does, done in a thread: ``isolation = "inline"``."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Mapping

from tfaas_core.engine.in_model_process import process as model_process
from tfaas_core.engine.in_parent.starter import ProcessHandle, Starter
from tfaas_core.engine.shared.mode import USUAL
from tfaas_core.runtime import Runtime
from tfaas_core.system.lives.ending import Ending

_log = logging.getLogger("tfaas.engine")


class ThreadStarter(Starter):
    """Runs what a model process does in a thread of this one."""

    def __init__(self, runtimes: Mapping[str, Runtime]) -> None:
        self._runtimes = runtimes

    async def start(
        self, sock: socket.socket, runtime: str, *, artifact: str = "", mode: str = USUAL
    ) -> ProcessHandle:
        threading.Thread(
            target=_control,
            args=(sock.dup(), self._runtimes),
            name="tfaas-models",
            daemon=True,
        ).start()
        return _Thread()


def _control(sock: socket.socket, runtimes: Mapping[str, Runtime]) -> None:
    try:
        model_process.control(sock, runtimes)
    except BaseException:
        _log.critical("the thread that loads models broke", exc_info=True)


class _Thread(ProcessHandle):
    can_be_killed = False

    def __init__(self) -> None:
        self.pid = os.getpid()

    def kill(self) -> None:
        """A thread cannot be killed; the run goes on, and nobody waits for it."""

    async def how_it_ended(self) -> Ending:
        return Ending()
