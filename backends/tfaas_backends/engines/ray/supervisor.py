"""RaySupervisor: keeps a driver of Ray, and tells HTTP workers of the hosts that it hears of."""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
from contextlib import suppress

import msgspec

from tfaas_backends.engines.ray.driver_process import DriverProcess
from tfaas_backends.engines.ray.host_config import packed, with_token
from tfaas_backends.engines.ray.messages import Failed, Hosts
from tfaas_backends.engines.ray.table import PATH, RAY, RayTable
from tfaas_core.config import Config
from tfaas_core.engine.base import Supervisor
from tfaas_core.errors import StartupError
from tfaas_core.system.links.link import Link
from tfaas_core.system.lives.backoff import Backoff
from tfaas_core.system.loop.tasks import Tasks
from tfaas_core.system.output.one_line import described

_log = logging.getLogger("tfaas.engine")


class RaySupervisor(Supervisor):
    """Ray itself is in a process of its own: it ends those that lose their cluster for long.

    If that process is lost, another one follows, and HTTP workers go on with the hosts that they
    know. Hosts of the server's own Ray end with it.
    """

    def __init__(self, config: Config) -> None:
        self._table: RayTable = config.engine_settings(RAY)
        self._token = "" if self._table.address else secrets.token_hex(32)
        self._packed = packed(with_token(config, self._token) if self._token else config)
        self._driver: DriverProcess | None = None
        self._workers: dict[int, Link[Hosts]] = {}
        self._hosts: Hosts | None = None
        self._why = self._warned = ""
        self._first = asyncio.Event()
        self._backoff = Backoff()
        self._tasks = Tasks(_log)

    async def start(self) -> None:
        """Returns once there is a host. Raises StartupError, which says why there is none."""
        self._tasks.spawn(self._keep())
        with suppress(TimeoutError):
            async with asyncio.timeout(self._table.start_limit_s):
                await self._first.wait()
        if self._hosts is None or not self._hosts.addresses:
            limit = f" within {self._table.start_limit_s:g} s ({PATH[2:]}.start_limit_s)"
            when = "" if self._first.is_set() else limit
            raise StartupError(f"Ray has no host for models{when}: {self._why_none()}")

    def _why_none(self) -> str:
        if self._hosts is None:
            return self._why or f"{self._table.address or 'it'} does not answer"
        return self._why or "; ".join(self._hosts.whys) or "no node has room for one"

    async def close(self) -> None:
        await self._tasks.cancel()
        for link in self._workers.values():
            link.close()
        if self._driver is not None:
            await self._driver.end()

    def processes(self) -> dict[int, str]:
        driver = self._driver
        return {} if driver is None or driver.pid is None else {driver.pid: "ray_driver"}

    def attach(self, worker: int, sock: socket.socket) -> None:
        before = self._workers.pop(worker, None)
        if before is not None:
            before.close()
        link: Link[Hosts] = Link(sock, Hosts, _unheard, lambda: None, f"HTTP worker {worker}")
        self._workers[worker] = link
        if self._hosts is not None:
            link.send(self._hosts)

    async def _keep(self) -> None:
        while True:
            try:
                self._driver = self._begun()
                self._ended(f"the process that speaks with Ray {await self._driver.ended()}")
            except OSError as error:
                self._ended(f"the process that speaks with Ray cannot start: {described(error)}")
            self._backoff.died(RAY)
            await asyncio.sleep(self._backoff.delay_s(RAY))

    def _begun(self) -> DriverProcess:
        return DriverProcess(self._table, self._packed, self._heard)

    def _ended(self, why: str) -> None:
        why, self._why = self._why or why, ""
        if self._hosts is not None and self._hosts.addresses:
            if why != self._warned:
                then = "servers go on with the hosts that they know"
                own = "the server's own Ray is started anew, and until then predictions are a 503"
                _log.warning("%s; %s", why, then if self._table.address else own)
            self._warned = why
            return
        self._why = why
        if not self._table.address:  # a cluster may be about to come back
            self._first.set()

    def _heard(self, message: Hosts | Failed) -> None:
        if isinstance(message, Failed):
            self._why = message.why
            return
        self._why = self._warned = ""
        hosts = msgspec.structs.replace(message, token=self._token)
        for why in hosts.whys:
            if self._hosts is None or why not in self._hosts.whys:
                _log.warning("%s", why)
        self._hosts = hosts
        for link in self._workers.values():
            link.send(hosts)
        if hosts.addresses or (hosts.whys and not self._table.address):
            self._first.set()


def _unheard(_message: Hosts, _descriptors: list[int]) -> None:
    """HTTP workers say nothing."""
