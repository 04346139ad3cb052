"""gRPC, on a port of its own, if there is to be one: the services that plugins register."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Annotated

from msgspec import Meta, Struct

from tfaas_core.config import Config
from tfaas_core.errors import ConfigError
from tfaas_core.hookspecs import hookimpl
from tfaas_core.host import Host
from tfaas_core.listener import Listener
from tfaas_core.service import Service

NAME = "grpc"


class GrpcTable(Struct, frozen=True):
    """``[plugins.grpc]``: where gRPC is spoken, if it is."""

    port: Annotated[int, Meta(ge=-1, le=65_535)] = -1
    """The port of all services; -1: gRPC is not spoken; 0: any free port, which is printed."""
    host: str = ""
    """The address to listen on; empty: that of server.host."""
    max_message_bytes: Annotated[int, Meta(ge=1, le=2_147_483_647)] = 33_554_432
    """Of a message that comes; server.max_body_bytes, if that is less: RESOURCE_EXHAUSTED."""
    max_answer_bytes: Annotated[int, Meta(ge=1_048_576, le=2_147_483_647)] = 50_331_648
    """Of a message that answers; beyond it: RESOURCE_EXHAUSTED."""
    reflection: bool = True
    """Whether clients may ask which services there are, and what their messages look like."""


@hookimpl
def tfaas_config_sections() -> Mapping[str, type[Struct]]:
    """The table ``[plugins.grpc]``."""
    return {NAME: GrpcTable}


@hookimpl
def tfaas_register_services(host: Host) -> Iterable[Service]:
    """Health, and reflection."""
    table: GrpcTable = host.settings(NAME)
    if table.port < 0:
        return []
    from tfaas_plugins.grpc_server.health import Health
    from tfaas_plugins.grpc_server.reflection import Reflection

    reflection = Reflection(host).services() if table.reflection else ()
    return [Health(host).service(), *reflection]


@hookimpl
def tfaas_register_listeners(config: Config) -> Iterable[Listener]:
    """The port of gRPC, if there is to be one."""
    table: GrpcTable = config.settings(NAME)
    if table.port < 0:
        return []
    _check_installed()
    keys = f"plugins.{NAME}.host, plugins.{NAME}.port"
    host = table.host or config.server.host
    return [Listener(NAME, host, table.port, _serve, reuse_port=True, keys=keys)]


def _check_installed() -> None:
    try:
        from grpc_health import v1  # noqa: F401
        from grpc_reflection import v1alpha  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            f"gRPC needs libraries that are not installed ({error.name}); install tfaas[grpc], or "
            f"take port out of [plugins.{NAME}] - at `$.plugins.{NAME}.port`"
        ) from None


@asynccontextmanager
async def _serve(host: Host, sock: socket.socket) -> AsyncIterator[None]:
    # Its C library, which begins to log what each client sends wrong unless it is told not to, must
    # not be there before the worker is: the parent imports this module, too.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from tfaas_plugins.grpc_server.server import GrpcServer

    table: GrpcTable = host.settings(NAME)
    server = GrpcServer(host, table.max_message_bytes, table.max_answer_bytes)
    await server.start(sock)
    try:
        yield
    finally:
        await server.drain(host.config.server.request_timeout_s)
