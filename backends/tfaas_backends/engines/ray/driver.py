"""Driver: the process that speaks with Ray, and tells the parent which hosts there are."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from tfaas_backends.engines.ray import connection, host_config
from tfaas_backends.engines.ray.guardian import guard
from tfaas_backends.engines.ray.local_ray import LocalRay
from tfaas_backends.engines.ray.messages import Failed, Hosts
from tfaas_backends.engines.ray.table import RayTable
from tfaas_core.config import Config
from tfaas_core.system.links.link import Link
from tfaas_core.system.output import logs
from tfaas_core.system.output.one_line import described
from tfaas_core.system.output.stdout import give_up_stdout

_RETRY_S = 1.0
_HEAR_LIMIT_S = 30.0
"""After so long without a word of its controller, a server's own Ray is started anew."""

_log = logging.getLogger("tfaas.engine")


def main(sock: socket.socket, table: RayTable, packed: bytes) -> None:
    """Its whole life below a guardian, until the parent hangs up.

    ``packed``: the configuration, for hosts, too.
    """
    give_up_stdout()
    guard(sock.fileno(), partial(_drive, sock, table, host_config.unpacked(packed)))


def _drive(sock: socket.socket, table: RayTable, config: Config) -> None:
    logs.configure(config.server.log_level, config.server.log_format, *config.plugin_folders)
    try:
        asyncio.run(_Driver(sock, table, config).live())
    except Exception:
        _log.exception("the process that speaks with Ray cannot go on")
    _exit(1)


def _exit(code: int) -> None:
    # Threads may wait for a cluster that is gone.
    logging.shutdown()
    os._exit(code)


class _Driver:
    """What it learns goes to the parent, over ``sock``."""

    def __init__(self, sock: socket.socket, table: RayTable, config: Config) -> None:
        self._sock, self._table, self._config = sock, table, config
        self._own = None if table.address else LocalRay(table)
        self._heard_s = 0.0
        self._parent: Link[Any]

    async def live(self) -> None:
        """Ends the process once the parent has hung up, or the cluster cannot be reached."""
        ended = asyncio.Event()
        self._parent = Link(self._sock, Hosts, lambda *_message: None, ended.set, "the parent")
        tasks = [asyncio.create_task(self._follow()), asyncio.create_task(ended.wait())]
        try:
            done, _pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            if self._own is not None:
                self._own.close()
        _exit(0)

    async def _follow(self) -> None:
        try:
            await asyncio.to_thread(self._connect)
        except Exception as error:
            where = f"the Ray cluster {self._table.address}" if self._table.address else "Ray"
            self._parent.send(Failed(f"{where} cannot be used: {described(error)}"))
            return
        self._heard_s, before = time.monotonic(), ""
        while self._own is None or time.monotonic() - self._heard_s < _HEAR_LIMIT_S:
            try:
                await self._tell_of_hosts()
            except connection.lost_errors() as error:
                why = f"Ray's controller of hosts is away: {described(error)}"
                if why != before:
                    _log.info("%s", why)
                    self._parent.send(Failed(why))
                before = why
                await asyncio.sleep(_RETRY_S)

    def _connect(self) -> None:
        if self._own is None:
            connection.connect(self._table)
        else:
            self._own.start()

    async def _tell_of_hosts(self) -> None:
        async with _heard_in_time():
            controller = await asyncio.to_thread(connection.controller, self._table, self._config)
            digest = await controller.digest.remote()
        if digest != host_config.digest(self._config):
            _log.warning(
                "the hosts of [engine.ray] name = %r run by another configuration of [storage], "
                "[engine], [models] or [limits], that of the server that has started them; "
                "`tfaas cluster restart` starts them anew by that of this machine",
                self._table.name,
            )
        known: Hosts | None = None
        while True:
            async with _heard_in_time():
                hosts = await controller.follow.remote(known)
            self._heard_s = time.monotonic()
            if hosts not in (None, known):
                self._parent.send(hosts)
                known = hosts


@asynccontextmanager
async def _heard_in_time() -> AsyncIterator[None]:
    """Raises TimeoutError if what is asked in the block hangs: Ray itself would wait for ever."""
    try:
        async with asyncio.timeout(_HEAR_LIMIT_S):
            yield
    except TimeoutError:
        raise TimeoutError(f"nothing was heard of it for {_HEAR_LIMIT_S:g} s") from None
