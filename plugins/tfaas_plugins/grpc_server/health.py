"""Health, as ``grpc.health.v1`` has it: that of /health/ready, for the server and each service."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import cached_property
from typing import Any, TypeAlias

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from tfaas_core.errors import BadBody, NotFound
from tfaas_core.host import Host
from tfaas_core.service import Call, Method, Service

NAME = "grpc.health.v1.Health"
WATCH = f"/{NAME}/Watch"
_LOOK_S = 0.5

Write: TypeAlias = Callable[[bytes], Awaitable[None]]


class Health:
    """What is asked of the services of one Host; no guard is asked."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def service(self) -> Service:
        """All but ``Watch``, whose one message is answered by many."""
        return Service(NAME, {"Check": Method(self.check, public=True)})

    async def check(self, call: Call) -> bytes:
        """``Check``: whether requests should be sent here."""
        status = self._status(self._asked(call.body))
        if status == self._messages.HealthCheckResponse.SERVICE_UNKNOWN:
            raise NotFound("there is no such service")
        return self._answer(status)

    async def watch(self, message: bytes, write: Write, leaving: asyncio.Event) -> None:
        """``Watch``: the status, and each change of it, until ``leaving`` is set."""
        name = self._asked(message)
        told = None
        while True:
            status = self._status(name)
            if status != told:
                await write(self._answer(status))
                told = status
            if leaving.is_set():
                return
            try:
                async with asyncio.timeout(_LOOK_S):
                    await leaving.wait()
            except TimeoutError:
                continue

    def _status(self, name: str) -> int:
        kinds = self._messages.HealthCheckResponse
        if name and name not in self._names:
            return int(kinds.SERVICE_UNKNOWN)
        return int(kinds.NOT_SERVING if self._host.fitness().why_not_ready else kinds.SERVING)

    def _asked(self, message: bytes) -> str:
        try:
            return str(self._messages.HealthCheckRequest.FromString(message).service)
        except DecodeError:
            raise BadBody("the message is no grpc.health.v1.HealthCheckRequest") from None

    def _answer(self, status: int) -> bytes:
        return bytes(self._messages.HealthCheckResponse(status=status).SerializeToString())

    @cached_property
    def _names(self) -> frozenset[str]:
        """Those of services, and what TensorFlow Serving calls its own, without the package."""
        names = [service.name for service in self._host.services().services]
        return frozenset((*names, *(name.rpartition(".")[2] for name in names)))

    @cached_property
    def _messages(self) -> Any:
        from grpc_health.v1 import health_pb2

        return health_pb2
