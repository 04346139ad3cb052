"""Host: the actor of a node, which keeps a process there that serves models through a door."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

import ray

from tfaas_backends.engines.ray import host_config
from tfaas_backends.engines.ray.messages import HostState
from tfaas_core.config import Config
from tfaas_core.errors import StartupError
from tfaas_core.system.lives.backoff import Backoff
from tfaas_core.system.lives.ending import Ending
from tfaas_core.system.lives.lifeline import Lifeline, tied
from tfaas_core.system.lives.main_module import forget_main
from tfaas_core.system.output.one_line import described

FOLLOW_S = 20.0
"""How long a question waits for news at most."""

_STOP_GRACE_S = 10.0

_log = logging.getLogger("tfaas.door")


def stop_limit_s(config: Config) -> float:
    """How long a host may take to end: it answers what it was asked, and hands its models over."""
    return config.server.request_timeout_s + _STOP_GRACE_S


class Host:
    """Does what ``tfaas serve-engine`` does, in a child process, which ends with the actor's.

    That is started anew whenever it has ended, on the same port.
    """

    def __init__(self, config: bytes, port: int) -> None:
        self._config, self._port = host_config.unpacked(config), port
        self._state = HostState()
        self._changed = asyncio.Condition()
        self._keeping: asyncio.Task[None] | None = None
        self._process: Any = None
        self._stopping = False
        self._lifeline = Lifeline()
        forget_main()  # it is Ray's, and nothing for the child

    async def follow(self, known: HostState | None) -> HostState:
        """How it is, as soon as that is another than ``known``."""
        if self._keeping is None:
            self._keeping = asyncio.create_task(self._keep())
        with suppress(TimeoutError):
            async with asyncio.timeout(FOLLOW_S), self._changed:
                await self._changed.wait_for(lambda: self._state != (known or HostState()))
        return self._state

    async def stop(self) -> str:
        """Returns once all requests went elsewhere, and the process has ended.

        One that hangs is killed: why, as a clause; else nothing.
        """
        self._stopping = True
        if self._process is not None and self._process.pid is not None:
            self._process.terminate()
        if self._keeping is None:
            return ""
        limit_s = stop_limit_s(self._config)
        if (await asyncio.wait([self._keeping], timeout=limit_s))[0]:
            return ""
        self._process.kill()
        await self._keeping
        return f"did not end within {limit_s:g} s, and was killed"

    async def _keep(self) -> None:
        backoff = Backoff()
        while not self._stopping:
            try:
                why = await self._live()
            except Exception as error:  # to end would mean to start none ever again
                why = f"its process cannot start: {described(error)}"
                if self._process is not None and self._process.pid is not None:
                    self._process.kill()
            if not self._stopping:
                await self._tell(HostState(why=why))
                backoff.died("")
                await asyncio.sleep(backoff.delay_s(""))
        await self._tell(HostState(why="it was told to stop"))

    async def _live(self) -> str:
        """One life of the process; returns why it has ended, as a clause."""
        told, telling = multiprocessing.Pipe(duplex=False)
        address = ray.util.get_node_ip_address()
        arguments = telling, self._config, address, self._port
        context = multiprocessing.get_context("spawn")
        end = self._lifeline.end("tfaas-host")
        self._process = context.Process(target=tied, args=(end, _serve, *arguments))
        with told:
            with telling:
                self._process.start()
            kind, said = await asyncio.to_thread(_first_word, told)
        if kind == "at":
            self._port = int(said.rpartition(":")[2])
            await self._tell(HostState(address=said))
        await asyncio.to_thread(self._process.join)
        return said if kind == "why" else f"its process {Ending(self._process.exitcode)}"

    async def _tell(self, state: HostState) -> None:
        async with self._changed:
            self._state = state
            self._changed.notify_all()


def _first_word(told: Connection) -> tuple[str, str]:
    try:
        kind, said = told.recv()
        return kind, said
    except EOFError:
        return "", ""


def _serve(telling: Connection, config: Config, address: str, port: int) -> None:
    """The child's life: tells where it listens, or why it cannot."""
    from tfaas_core.processes.engine_server import serve_engine

    try:
        serve_engine(config, address, port, lambda place: telling.send(("at", place)))
    except StartupError as error:
        telling.send(("why", error.message))
        raise SystemExit(1) from None
