"""RayEngine: the engine ``kind = "ray"`` in an HTTP worker, which knows nothing of Ray."""

from __future__ import annotations

import asyncio

import msgspec

from tfaas_backends.engines.ray.messages import Hosts
from tfaas_core.engine.base import WorkerContext
from tfaas_core.engine.in_front.dialling import FarDoor
from tfaas_core.engine.in_front.remote_engine import RemoteEngine
from tfaas_core.system.links.link import Link


class RayEngine(RemoteEngine):
    """Calls at the doors that the parent tells of. ``door``: any of them, but for its address.

    With the parent's last word it goes on, whatever becomes of Ray.
    """

    def __init__(self, context: WorkerContext, door: FarDoor, calm_s: float) -> None:
        super().__init__(context, calm_s=calm_s)
        assert context.engine_socket is not None
        self._door = msgspec.structs.replace(door, named_by="of Ray")
        self._told = asyncio.Event()
        self._parent: Link[Hosts] = Link(
            context.engine_socket, Hosts, self._heard, self._told.set, "the parent"
        )

    async def start(self) -> None:
        await self._told.wait()
        await super().start()

    async def close(self) -> None:
        self._parent.close()
        await super().close()

    def _heard(self, hosts: Hosts, _descriptors: list[int]) -> None:
        token = hosts.token or self._door.token
        door = msgspec.structs.replace(self._door, token=token)
        self.call_at([msgspec.structs.replace(door, address=each) for each in hosts.addresses])
        if hosts.replicas is not None:
            self.spread(hosts.replicas)
        self._told.set()
