"""WorkerStart: starts HTTP workers, with what each of them gets from the parent."""

from __future__ import annotations

import logging
import multiprocessing
import os
import socket
from collections.abc import Callable
from contextlib import ExitStack

from tfaas_core.config import Config
from tfaas_core.engine.base import Supervisor
from tfaas_core.processes.in_parent.decoder_server import DecoderServer
from tfaas_core.processes.in_parent.ports import Ports
from tfaas_core.processes.in_parent.worker_body import SpawnedWorker, WorkerBody
from tfaas_core.processes.in_parent.worker_process import WorkerProcess
from tfaas_core.processes.in_parent.worker_server import WorkerServer
from tfaas_core.processes.in_worker import worker as http_worker
from tfaas_core.processes.in_worker.cage import Cage, in_cage
from tfaas_core.processes.in_worker.reserve import Roster
from tfaas_core.processes.messages import FromWorker, HaveDecoder, NeedDecoder
from tfaas_core.sandbox.environment import hidden_variables
from tfaas_core.sandbox.worker import WorkerCell
from tfaas_core.settings.sources import CLIENT_VARIABLES, secret_variables
from tfaas_core.shared_memory import shared_memories
from tfaas_core.status import Fitness
from tfaas_core.system.lives.lifeline import tied
from tfaas_core.system.lives.signals import stop_signals_blocked
from tfaas_core.system.resources.descriptors import SpareDescriptors
from tfaas_core.wiring.composition import Composition

_log = logging.getLogger("tfaas.parent")

_SPARE = 16
"""Descriptors: a start takes fewer, beside one for each that plugins have."""


class WorkerStart:
    """``heard`` gets what each of them says, and ``cell`` says how they are confined.

    The parent's, in its event loop.
    """

    def __init__(
        self,
        composition: Composition,
        ports: Ports,
        demo: bool,
        heard: Callable[[WorkerProcess, FromWorker, list[int]], None],
        cell: WorkerCell | None,
        server: WorkerServer,
    ) -> None:
        self._composition = composition
        self._ports = ports
        self._demo = demo
        self._memory = shared_memories(composition.plugins.memory(composition.config))
        self._roster = Roster.of(composition.config.server)
        self._heard = heard
        self._cell = cell
        self._context = multiprocessing.get_context("spawn")
        self._server = server
        self._spare = SpareDescriptors(_SPARE + len(ports.others) + len(self._memory))
        self._decoders = DecoderServer(composition)

    async def start(
        self,
        number: int,
        supervisor: Supervisor | None,
        config: Config,
        fitness: Callable[[], Fitness],
    ) -> WorkerProcess:
        """``config``: as it is now. ``fitness`` says how the server is.

        Raises OSError if there is no room for a process; too many open files are no reason.
        """
        wanted = number, supervisor, config, fitness
        with self._spare.lent():
            try:
                return await self._started(*wanted)
            except ConnectionError:
                # One that was forked, and that nobody knows of, ends: its sockets are closed.
                return await self._started(*wanted)

    async def _started(
        self,
        number: int,
        supervisor: Supervisor | None,
        config: Config,
        fitness: Callable[[], Fitness],
    ) -> WorkerProcess:
        with ExitStack() as unless_it_starts:
            ours, theirs = _pair(unless_it_starts)
            engine, their_engine = (None, None) if supervisor is None else _pair(unless_it_starts)
            arguments = http_worker.WorkerArguments(
                config=config,
                worker=number,
                workers=self._composition.workers,
                listener=self._ports.http,
                others=self._ports.others,
                memory=self._memory,
                control=theirs,
                engine_socket=their_engine,
                roster=self._roster,
                demo=self._demo and number == 0,
            )
            body = await self._body(arguments)
            unless_it_starts.pop_all()
        theirs.close()
        if supervisor is not None and engine is not None and their_engine is not None:
            their_engine.close()
            supervisor.attach(number, engine)
        limit_s = config.server.request_timeout_s
        return WorkerProcess(number, body, ours, self._heard, limit_s, fitness)

    async def _body(self, arguments: http_worker.WorkerArguments) -> WorkerBody:
        end = self._server.lifeline.end("tfaas-worker")
        inside = Cage(self._cell, _hidden(arguments.config)), http_worker.main, arguments
        process = self._context.Process(target=tied, args=(end, in_cage, *inside))
        if (forked := await self._server.start(process)) is not None:
            return forked
        with stop_signals_blocked():
            process.start()
        return SpawnedWorker(process)

    def lend_decoder(self, worker: WorkerProcess, message: NeedDecoder) -> None:
        """Gives a worker a decoder, if there is room for one."""
        try:
            # To send descriptors takes as many again.
            with self._spare.lent():
                sock, leash = self._decoders.open(message.work)
                try:
                    with sock:
                        worker.send(HaveDecoder(message.call), (sock.fileno(), leash))
                finally:
                    os.close(leash)
        except OSError as error:
            _log.warning("no process can be started that decodes: %s", error)
            worker.send(HaveDecoder(message.call))

    @property
    def server_pids(self) -> dict[int, str]:
        """The processes that workers and decoders are forked from, with their kinds."""
        pids = {self._server.pid: "worker_server", self._decoders.pid: "decoder_server"}
        return {pid: kind for pid, kind in pids.items() if pid is not None}

    def ended(self, number: int) -> None:
        """The HTTP worker of this number has ended, in whatever way."""
        if self._roster is not None:
            self._roster.gone(number)

    def close(self) -> None:
        """No other is started."""
        self._server.close()
        self._spare.close()
        self._decoders.close()


def _hidden(config: Config) -> frozenset[str]:
    rests = config.storage.rest, config.engine.rest, config.plugins.rest
    named = {name for rest in rests for name in secret_variables(rest)}
    own = named.difference(CLIENT_VARIABLES)
    hidden = hidden_variables(os.environ, config.server.environment, own)
    return hidden | CLIENT_VARIABLES.difference(named).intersection(os.environ)


def _pair(closing: ExitStack) -> tuple[socket.socket, socket.socket]:
    ours, theirs = map(closing.enter_context, socket.socketpair())
    return ours, theirs
