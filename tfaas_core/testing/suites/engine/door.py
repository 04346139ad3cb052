"""A host for the tests of engines: a pool behind a door of this machine, and an engine for it."""

from __future__ import annotations

import asyncio
import shutil
import socket
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from tfaas_core.engine.base import Engine, EngineContext, EngineFactory, Supervisor, WorkerContext
from tfaas_core.engine.in_door.door import DoorSettings, PoolDoor
from tfaas_core.engine.in_door.session import ModelFiles
from tfaas_core.engine.in_front.dialling import FarDoor
from tfaas_core.engine.in_front.remote_engine import RemoteEngine
from tfaas_core.engine.in_parent.fork_servers.fork_servers import ForkServers
from tfaas_core.engine.local import pool_of
from tfaas_core.engine.shared.door_tls import CallerTls, HostTls
from tfaas_core.models.model import ModelVersion
from tfaas_core.system.network.address import Address
from tfaas_core.system.network.tls import TlsFiles

TOKEN = "a-token-that-nobody-else-knows"


class TestHost(Supervisor):
    """A pool and its door. HTTP workers connect by themselves: what ``attach`` gets is closed."""

    __test__ = False

    def __init__(
        self,
        context: EngineContext,
        port: int = 0,
        token: str = TOKEN,
        tls: HostTls | None = None,
    ) -> None:
        context = self.context = msgspec.structs.replace(context, workers=1)
        self._is_closed = False
        self.listener = Address.of("127.0.0.1", port).bound()
        self.listener.listen()
        self.artifact: Callable[[ModelVersion], Path] = lambda version: Path(version.name)
        self.pool = pool_of(context, ForkServers(context))
        config = context.config
        settings = DoorSettings(token, 3.0, config.engine.max_queue_rows, config.limits, tls)
        shelf = ModelFiles(self._artifact, self._stage, _discard)
        self.door = PoolDoor(self.pool, self.listener, settings, shelf)

    @property
    def address(self) -> str:
        host, port = self.listener.getsockname()
        return f"{host}:{port}"

    async def start(self) -> None:
        await self.pool.start()
        self.door.start()

    async def close(self) -> None:
        """A second time, it does nothing."""
        if self._is_closed:
            return
        self._is_closed = True
        await self.door.close()
        self.listener.close()
        await self.pool.close()

    def processes(self) -> dict[int, str]:
        return self.pool.processes()

    def attach(self, worker: int, sock: socket.socket) -> None:
        sock.close()

    def _artifact(self, version: ModelVersion) -> Path:
        return self.artifact(version)

    def _stage(self) -> Path:
        return Path(tempfile.mkdtemp())


class DoorFactory(EngineFactory):
    """Engines whose models are on ``hosts`` hosts of this machine."""

    hosts = 1
    tls: tuple[TlsFiles, CallerTls] | None = None
    """What hosts and servers speak it with, if they do."""

    def __init__(self) -> None:
        self.made: list[TestHost] = []

    def supervisor(self, context: EngineContext) -> Supervisor | None:
        self.made = [
            TestHost(context, tls=HostTls(self.tls[0]) if self.tls else None)
            for _ in range(self.hosts)
        ]
        return _AllHosts(self.made)

    def engine(self, context: WorkerContext) -> Engine:
        if context.engine_socket is not None:
            context.engine_socket.close()
        for host in self.made:
            host.artifact = context.artifact
        tls = self.tls[1] if self.tls else None
        doors = [FarDoor(host.address, TOKEN, 3.0, tls) for host in self.made]
        return self.engine_at(context, doors)

    def engine_at(self, context: WorkerContext, doors: Sequence[FarDoor]) -> RemoteEngine:
        """One that calls at these doors."""
        return RemoteEngine(context, doors)


class _AllHosts(Supervisor):
    def __init__(self, hosts: list[TestHost]) -> None:
        self._hosts = hosts

    async def start(self) -> None:
        await asyncio.gather(*[host.start() for host in self._hosts])

    async def close(self) -> None:
        await asyncio.gather(*[host.close() for host in self._hosts])

    def processes(self) -> dict[int, str]:
        return {}

    def attach(self, worker: int, sock: socket.socket) -> None:
        sock.close()


def _discard(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
