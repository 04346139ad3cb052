"""Fork servers: one for each set of modules that runtimes preload, so that none breaks another."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections import defaultdict
from collections.abc import Hashable, Mapping
from contextlib import suppress

from tfaas_core.engine.base import EngineContext
from tfaas_core.engine.in_fork_server.process import Work
from tfaas_core.engine.in_model_process import process as model_process
from tfaas_core.engine.in_parent.confinement import cell_of
from tfaas_core.engine.in_parent.fork_servers.fork_server import ForkServer
from tfaas_core.engine.in_parent.starter import ProcessHandle, Starter
from tfaas_core.engine.shared.mode import USUAL
from tfaas_core.runtime import Runtime
from tfaas_core.system.lives.lifeline import Lifeline

REST_AFTER_S = 60.0
"""A server of a further mode ends if nothing has run in that mode for so long."""


class ForkServers(Starter):
    """Forks from servers that have already imported the libraries of the model's runtime.

    If there are several, those of plugins begin to import at once, and those of built-in runtimes
    when a model of theirs is known to be stored, or is wanted: a server without TensorFlow models
    does not import TensorFlow. Each further mode of a runtime has a server of its own, as long as
    it is used.
    """

    def __init__(self, context: EngineContext) -> None:
        # OpenBLAS would start its threads on import, in the process that is forked afterwards.
        os.environ["OPENBLAS_NUM_THREADS"] = "1"
        self._lifeline = Lifeline()
        sets: defaultdict[Hashable, dict[str, Runtime]] = defaultdict(dict)
        for name, runtime in context.runtimes.items():
            sets[_preloads(runtime)][name] = runtime
        self._context, self._cell = context, cell_of(context.config.engine)
        self._servers: Mapping[str, ForkServer] = {}
        for runtimes in sets.values():
            server = ForkServer(runtimes, context, self._lifeline, self._cell)
            self._servers |= dict.fromkeys(runtimes, server)
        self._of_modes: dict[Hashable, ForkServer] = {}
        self._used_s: dict[ForkServer, float] = {}
        self._stored_runtimes = context.stored_runtimes
        self._wanted = {
            server for name, server in self._servers.items() if not context.is_built_in(name)
        }
        self._asking: asyncio.Task[None] | None = None

    async def start(
        self,
        sock: socket.socket,
        runtime: str,
        work: Work = model_process.main,
        artifact: str = "",
        memory_bytes: int = 0,
        mode: str = USUAL,
    ) -> ProcessHandle:
        server = self._server(runtime, mode)
        self._wanted.add(server)
        return await server.start(sock, runtime, work, artifact, memory_bytes)

    def _server(self, runtime: str, mode: str) -> ForkServer:
        """The one for a mode; it begins with the first model that is to run in it."""
        usual, runtimes = self._servers[runtime], self._context.runtimes
        variables = runtimes[runtime].modes.get(mode)
        if variables is None:
            return usual
        key = usual, tuple(sorted(variables.items()))
        if key not in self._of_modes:
            same = {
                name: runtimes[name]
                for name, server in self._servers.items()
                if server is usual and runtimes[name].modes.get(mode) == variables
            }
            cell = self._cell
            self._of_modes[key] = ForkServer(same, self._context, self._lifeline, cell, variables)
        return self._of_modes[key]

    def _all(self) -> set[ForkServer]:
        return {*self._servers.values(), *self._of_modes.values()}

    def group(self, runtime: str) -> Hashable:
        return self._servers.get(runtime)

    async def examine(self) -> dict[str, str]:
        """Why models of which runtimes cannot be started; tries it once, and closes."""
        servers = list(set(self._servers.values()))
        try:
            reasons = await asyncio.gather(*(server.examine() for server in servers))
        finally:
            self.close()
        found = dict(zip(servers, reasons, strict=True))
        return {name: found[server] for name, server in self._servers.items() if found[server]}

    def processes(self) -> dict[int, str]:
        pids = [server.pid for server in self._all()]
        return {pid: "fork_server" for pid in pids if pid is not None}

    def unavailable(self) -> dict[str, str]:
        refusals = {name: server.refusal(name) for name, server in self._servers.items()}
        return {name: refusal.message for name, refusal in refusals.items() if refusal is not None}

    def keep_ready(self) -> None:
        if self._asking is None:
            self._asking = asyncio.create_task(self._find_out())
        self._let_rest(time.monotonic())
        for server in self._wanted:
            server.keep_ready()

    def _let_rest(self, now_s: float) -> None:
        for server in self._wanted.intersection(self._of_modes.values()):
            if server.is_used:
                self._used_s[server] = now_s
            elif now_s - self._used_s.setdefault(server, now_s) >= REST_AFTER_S:
                del self._used_s[server]
                self._wanted.remove(server)
                server.rest()

    async def _find_out(self) -> None:
        """Which of them the stored models need."""
        servers = set(self._servers.values())
        if len(servers) > 1 and self._stored_runtimes is not None:
            with suppress(Exception):  # it is told of elsewhere: then all of them may be needed
                stored = await asyncio.to_thread(self._stored_runtimes)
                servers = {self._servers[name] for name in stored if name in self._servers}
        self._wanted |= servers

    def close(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
        for server in self._all():
            server.close()
        # A model process of a fork server that died is not its child any more.
        self._lifeline.close()


def _preloads(runtime: Runtime) -> Hashable:
    return frozenset(runtime.preload)
