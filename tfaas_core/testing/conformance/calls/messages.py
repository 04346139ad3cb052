"""Messages: from JSON documents to the bytes of calls, and back."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from functools import cache
from typing import Any

from google.protobuf import json_format  # type: ignore[import-untyped]
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from tfaas_core.testing.conformance.exchange import Unmet
from tfaas_core.testing.conformance.words import cut

_POOL = "tfaas_plugins.protocols.private_pool"
"""By name, as the built-in plugins are: the core imports none."""

_HEALTH = "grpc.health."
"""The package of messages that gRPC itself has."""


def message_bytes(path: str, documents: Iterable[Any]) -> list[bytes]:
    """What the method at ``path`` is sent."""
    kind = _kinds(path)[0]
    return [json_format.ParseDict(document, kind()).SerializeToString() for document in documents]


def documents_of(path: str, messages: Iterable[bytes]) -> list[Any]:
    """What it answered, with all fields, under the names that the protocol has; raises Unmet."""
    kind = _kinds(path)[1]
    pool = importlib.import_module(_POOL).private_pool()
    try:
        return [
            json_format.MessageToDict(
                kind.FromString(message),
                preserving_proto_field_name=True,
                always_print_fields_with_no_presence=True,
                descriptor_pool=pool,
            )
            for message in messages
        ]
    except (DecodeError, json_format.Error, TypeError, ValueError, RecursionError) as error:
        raise Unmet(f"a message that cannot be read: {cut(str(error))}") from None


@cache
def _kinds(path: str) -> tuple[Any, Any]:
    """The classes of what is sent, and of what is answered."""
    _, service, name = path.split("/")
    if service.startswith(_HEALTH):
        module = importlib.import_module("grpc_health.v1.health_pb2")
        return module.HealthCheckRequest, module.HealthCheckResponse
    pool = importlib.import_module(_POOL)
    method = pool.private_pool().FindServiceByName(service).FindMethodByName(name)
    return (
        pool.message_class(method.input_type.full_name),
        pool.message_class(method.output_type.full_name),
    )
