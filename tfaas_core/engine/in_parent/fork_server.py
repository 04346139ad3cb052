"""How a model process comes to be: forked from a fork server, or, inline, as a thread."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing import connection, forkserver, resource_tracker
from multiprocessing.context import ForkServerProcess
from weakref import WeakSet

from tfaas_core.engine.in_model_process import process as model_process
from tfaas_core.engine.in_model_process.process import Runtimes
from tfaas_core.engine.in_parent.starter import ProcessHandle, Starter
from tfaas_core.errors import Unavailable
from tfaas_core.system.backoff import restart_delay_s
from tfaas_core.system.signals import block_sigint, sigint_blocked

START_LIMIT_S = 60.0
"""For one start, the import of the libraries by a new fork server included."""

_START_ATTEMPTS = 5
_ENDING_TIMEOUT_S = 1.0

_log = logging.getLogger("tfaas.engine")


class ForkServerStarter(Starter):
    """Forks from a server that has already imported the runtimes' libraries.

    The fork server must have exactly one thread, so nothing that starts one may be preloaded.
    """

    def __init__(self, runtimes: Runtimes) -> None:
        self._runtimes = runtimes
        self._context = multiprocessing.get_context("forkserver")
        # OpenBLAS would start its threads on import, in the process that is forked afterwards.
        os.environ["OPENBLAS_NUM_THREADS"] = "1"
        modules = [model_process.__name__]
        modules += [type(runtime).__module__ for runtime in runtimes.values()]
        modules += [module for runtime in runtimes.values() for module in runtime.preload]
        self._context.set_forkserver_preload(modules)
        # One thread, because the fork server serves one start at a time anyway.
        self._thread = ThreadPoolExecutor(1, "tfaas-starter", initializer=block_sigint)
        # A start looks after all processes, and of two who read an exit code one gets none.
        self._exit_codes = threading.Lock()
        self._started: WeakSet[ForkServerProcess] = WeakSet()
        self._starting_since_s: float | None = None
        self._closed = False
        # By itself, because it unblocks SIGINT when it starts.
        resource_tracker.ensure_running()
        self.keep_ready()

    async def start(self, sock: socket.socket) -> ProcessHandle:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._start, sock.dup())

    def _start(self, sock: socket.socket) -> ProcessHandle:
        with sock:
            for attempt in range(1, _START_ATTEMPTS + 1):
                if self._closed:
                    break
                process = self._context.Process(
                    target=model_process.main, args=(sock, self._runtimes), daemon=True
                )
                try:
                    self._fork(process)
                except (OSError, EOFError):
                    # The fork server died. A start revives it, but not while it is still dying.
                    time.sleep(restart_delay_s(attempt))
                    continue
                return _ForkedProcess(process, self._exit_codes)
        raise Unavailable("a model process cannot be started at the moment; try again")

    def _fork(self, process: ForkServerProcess) -> None:
        self._starting_since_s = time.monotonic()
        try:
            with self._exit_codes:
                process.start()
        finally:
            self._starting_since_s = None
        self._started.add(process)
        if self._closed:
            _kill(process)

    def keep_ready(self) -> None:
        since_s = self._starting_since_s
        if since_s is not None and time.monotonic() - since_s > START_LIMIT_S:
            # It is stopped, say. The start notices, and tries again.
            self._starting_since_s = None
            _log.warning("a start takes longer than %g s: replacing the fork server", START_LIMIT_S)
            self._kill_fork_server()
        with sigint_blocked():
            forkserver.ensure_running()

    def processes(self) -> dict[int, str]:
        # multiprocessing has no public name for it.
        pid = getattr(getattr(forkserver, "_forkserver", None), "_forkserver_pid", None)
        return {} if pid is None else {pid: "fork_server"}

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._thread.shutdown(wait=False, cancel_futures=True)
        # It may be importing, or be stopped: a start would wait for it, and this process for that.
        self._kill_fork_server()
        # They heed no SIGTERM, and whoever ends waits for all processes that it started.
        for process in list(self._started):
            if not connection.wait([process.sentinel], 0):
                _kill(process)

    def _kill_fork_server(self) -> None:
        for pid in self.processes():
            with suppress(ProcessLookupError, ChildProcessError):
                os.kill(pid, signal.SIGKILL)
                # Until it is dead, but so that multiprocessing still sees how it ended.
                os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


class _ForkedProcess(ProcessHandle):
    def __init__(self, process: ForkServerProcess, exit_codes: threading.Lock) -> None:
        self._process = process
        self._exit_codes = exit_codes

    @property
    def pid(self) -> int | None:
        return self._process.pid

    def kill(self) -> None:
        _kill(self._process)

    async def how_it_ended(self) -> str:
        code = await asyncio.to_thread(self._exit_code)
        if code is None or code >= 0:
            return ""
        return f"by {signal.Signals(-code).name}"

    def _exit_code(self) -> int | None:
        connection.wait([self._process.sentinel], _ENDING_TIMEOUT_S)
        with self._exit_codes:
            return self._process.exitcode


def _kill(process: ForkServerProcess) -> None:
    if process.pid is not None:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)


class ThreadStarter(Starter):
    """Runs what a model process does in a thread of this one: ``isolation = "inline"``."""

    def __init__(self, runtimes: Runtimes) -> None:
        self._runtimes = runtimes

    async def start(self, sock: socket.socket) -> ProcessHandle:
        threading.Thread(
            target=model_process.control,
            args=(sock.dup(), self._runtimes),
            name="tfaas-models",
            daemon=True,
        ).start()
        return _Thread()


class _Thread(ProcessHandle):
    can_be_killed = False

    @property
    def pid(self) -> int | None:
        return os.getpid()

    def kill(self) -> None:
        """A thread cannot be killed; the run goes on, and nobody waits for it."""

    async def how_it_ended(self) -> str:
        return ""
