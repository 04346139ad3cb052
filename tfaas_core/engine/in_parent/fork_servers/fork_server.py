"""A fork server that is always there: started, replaced when it ends, tried again when it fails."""

from __future__ import annotations

import asyncio
import logging
import os
import pickle
import socket
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType

from tfaas_core.engine.base import EngineContext
from tfaas_core.engine.in_fork_server.process import Work
from tfaas_core.engine.in_model_process import process as model_process
from tfaas_core.engine.in_parent.confinement import environment_of
from tfaas_core.engine.in_parent.fork_servers.fork_server_process import (
    ForkServerProcess,
    NeverReadyError,
)
from tfaas_core.engine.in_parent.fork_servers.preloads import preloads
from tfaas_core.engine.in_parent.starter import ProcessHandle
from tfaas_core.engine.shared.forks import Orders
from tfaas_core.errors import Unavailable
from tfaas_core.runtime import Runtime
from tfaas_core.sandbox.confine import Cell
from tfaas_core.system.lives.backoff import Backoff, restart_delay_s
from tfaas_core.system.lives.lifeline import Lifeline
from tfaas_core.system.lives.stopped import LOOK_EVERY_S, Stopped
from tfaas_core.system.output.one_line import described
from tfaas_core.system.output.relay import Relay
from tfaas_core.withheld import without_folders

PRELOAD_LIMIT_S = 60.0
"""For the start of a fork server, the import of the libraries included."""

FORK_LIMIT_S = 60.0

_LOOK_EVERY_S = 0.2

FIRST_RETRY_S = 1.0
_LONGEST_RETRY_S = 60.0
_START_ATTEMPTS = 5

_log = logging.getLogger("tfaas.engine")


class ForkServer:
    """Serves ``runtimes``, which preload the same modules, with ``variables`` in its environment.

    If these cannot be imported, each start is refused at once, and the import is tried again, at
    first after a second, and then less and less often.
    """

    def __init__(
        self,
        runtimes: Mapping[str, Runtime],
        context: EngineContext,
        lifeline: Lifeline,
        cell: Cell | None,
        variables: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._runtimes = runtimes
        self._variables = variables
        self._context = context
        self._cell = cell
        self._lifeline = lifeline
        self._process: ForkServerProcess | None = None
        self._failure: NeverReadyError | None = None
        self._failures = 0
        self._next_start_s = 0.0
        self._backoff = Backoff()
        self._stopped = Stopped()
        self._next_look_s = 0.0
        self._starts = 0
        self._closed = False
        self._relays: set[Relay] = set()

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    async def start(
        self, sock: socket.socket, runtime: str, work: Work, artifact: str, memory_bytes: int
    ) -> ProcessHandle:
        """A process that does ``work`` with ``sock``; see Fork. Raises Unavailable."""
        self._starts += 1
        try:
            return await self._start(sock, runtime, work, artifact, memory_bytes)
        finally:
            self._starts -= 1

    async def _start(
        self, sock: socket.socket, runtime: str, work: Work, artifact: str, memory_bytes: int
    ) -> ProcessHandle:
        for attempt in range(1, _START_ATTEMPTS + 1):
            if (refusal := self.refusal(runtime)) is not None:
                raise refusal
            if self._closed:
                break
            process = self._process or self._begin()
            if process is None:
                continue
            try:
                await asyncio.shield(process.ready)
                return await process.fork(sock, work, artifact, memory_bytes)
            except NeverReadyError:
                continue
            except ConnectionError:
                # It died. Another one may not be possible while it is still dying.
                await asyncio.sleep(restart_delay_s(attempt))
        raise Unavailable("a model process cannot be started at the moment; try again")

    def refusal(self, runtime: str) -> Unavailable | None:
        """What a start for ``runtime`` raises because the modules could not be imported, if so."""
        if self._failure is None:
            return None
        owner = self._context.owners.get(runtime)
        details = {"runtime": runtime, "plugin": owner} if owner else {"runtime": runtime}
        of_plugin = self._of_plugin(runtime)
        message = f"the runtime {runtime!r}{of_plugin} cannot be started: {self._failure}"
        return Unavailable(message, without_folders(message), **details)

    async def examine(self) -> str:
        """Why it cannot be started, a clause; empty if it can. It has ended afterwards."""
        try:
            process = self._new_process(lambda: None)
        except Exception as error:
            return described(error)
        try:
            while not process.ready.done():
                await asyncio.wait([process.ready], timeout=_LOOK_EVERY_S)
                process.end_where_it_hangs(PRELOAD_LIMIT_S, FORK_LIMIT_S)
        finally:
            process.end()
        return str(process.ready.exception() or "")

    def keep_ready(self) -> None:
        """Starts it if it is due, and ends it if it hangs."""
        if self._process is not None:
            if self._process.end_where_it_hangs(PRELOAD_LIMIT_S, FORK_LIMIT_S):
                _log.warning("the fork server of %s hangs: replacing it", self)
            elif self._is_stopped(self._process):
                _log.warning("the fork server of %s is stopped: replacing it", self)
                self._process.end()
        elif time.monotonic() >= self._next_start_s and not self._closed:
            self._begin()

    def _is_stopped(self, process: ForkServerProcess) -> bool:
        now_s = time.monotonic()
        if now_s < self._next_look_s:
            return False
        self._next_look_s = now_s + LOOK_EVERY_S
        return self._stopped.for_long(process.pid)

    @property
    def is_used(self) -> bool:
        """Whether something that it forked runs, or is being started, or it is not ready yet."""
        if self._starts > 0:
            return True
        process = self._process
        return process is not None and (process.has_children or not process.ready.done())

    def rest(self) -> None:
        """Ends until the next start. It must not be used."""
        process, self._process = self._process, None
        if process is not None:
            process.end()

    def close(self) -> None:
        self._closed = True
        if self._process is not None:
            self._process.end()
        for relay in list(self._relays):
            relay.close()
        self._relays.clear()

    def __str__(self) -> str:
        """As in "the fork server of ..."."""
        return ", ".join(f"runtime {name!r}{self._of_plugin(name)}" for name in self._runtimes)

    def _of_plugin(self, runtime: str) -> str:
        owner = self._context.owners.get(runtime)
        return f" of plugin {owner}" if owner else ""

    def _begin(self) -> ForkServerProcess | None:
        try:
            process = self._new_process(self._ended)
        except BaseException as error:  # a runtime that cannot be pickled, or no room for a process
            self._failed(NeverReadyError(described(error)))
            return None
        process.ready.add_done_callback(self._was_settled)
        self._process = process
        return process

    def _new_process(self, on_end: Callable[[], None]) -> ForkServerProcess:
        environment = {
            **environment_of(self._context.config.engine, os.environ),
            **self._variables,
        }
        return ForkServerProcess(self._orders(), self._lifeline, on_end, environment, self._relays)

    def _orders(self) -> Orders:
        config = self._context.config
        accelerates = config.engine.accelerate == "auto"
        every = [m for r in self._runtimes.values() for m in preloads(r, accelerates)]
        # Last: what all that it forks would import, each for itself.
        modules = (*dict.fromkeys(every), model_process.__name__)
        runtimes = pickle.dumps(dict(self._runtimes))
        folders = tuple(map(str, config.plugin_folders))
        server = config.server
        return Orders(modules, runtimes, server.log_level, server.log_format, self._cell, folders)

    def _was_settled(self, ready: asyncio.Future[None]) -> None:
        error = None if ready.cancelled() else ready.exception()
        if isinstance(error, NeverReadyError):
            self._failed(error)
        elif self._failure is not None:
            _log.warning("%s can be started now", self)
            self._failure, self._failures = None, 0

    def _ended(self) -> None:
        process, self._process = self._process, None
        if process is None or self._closed:
            return
        if process.ready.done():
            _log.warning("the fork server of %s %s: starting another", self, process.ending)
        self._backoff.died(None)
        self._next_start_s = time.monotonic() + self._backoff.delay_s(None)

    def _failed(self, error: NeverReadyError) -> None:
        if self._closed:
            return
        if self._failure is None or str(self._failure) != str(error):
            _log.error("%s cannot be started: %s", self, error, exc_info=error.__cause__)
        self._failure = error
        self._next_start_s = time.monotonic() + min(
            FIRST_RETRY_S * 2.0**self._failures, _LONGEST_RETRY_S
        )
        self._failures += 1
