"""Reflection: clients like grpcurl ask which services there are, and what their messages are."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from functools import cached_property
from typing import Any

from google.protobuf.descriptor_pool import DescriptorPool  # type: ignore[import-untyped]
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from tfaas_core.errors import BadBody
from tfaas_core.host import Host
from tfaas_core.service import Call, Method, Service

NAMES = ("grpc.reflection.v1alpha.ServerReflection", "grpc.reflection.v1.ServerReflection")
"""The first is what clients fall back to; the messages are the same."""


class Reflection:
    """What is asked of the services of one Host; no guard is asked."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def services(self) -> Iterator[Service]:
        """Both versions."""
        for name in NAMES:
            yield Service(name, {"ServerReflectionInfo": Method(self.tell, "read", True, True)})

    async def tell(self, call: Call) -> bytes:
        """The answer to one question."""
        answers = self._servicer.ServerReflectionInfo(self._asked(call.body), None)
        async for answer in answers:
            return bytes(answer.SerializeToString())
        raise AssertionError("one question has one answer")

    async def _asked(self, message: bytes) -> AsyncIterator[Any]:
        from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest

        try:
            yield ServerReflectionRequest.FromString(message)
        except DecodeError:
            raise BadBody("the message is no ServerReflectionRequest") from None

    @cached_property
    def _servicer(self) -> Any:
        from grpc_health.v1 import health_pb2
        from grpc_reflection.v1alpha import reflection_pb2
        from grpc_reflection.v1alpha.reflection import aio

        services = self._host.services().services
        pool = DescriptorPool()
        for module in (health_pb2, reflection_pb2):
            pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
        for service in services:
            for file in service.files:
                pool.AddSerializedFile(file)
        return aio.ReflectionServicer([service.name for service in services], pool)
