"""The gRPC server of one HTTP worker: it starts, and it drains without losing a call."""

from __future__ import annotations

import asyncio
import socket
from functools import partial
from typing import Any

import grpc

from tfaas_core.errors import TfaasError
from tfaas_core.host import Host
from tfaas_core.routing.sealed_services import SealedMethod
from tfaas_core.routing.seam import error_answer
from tfaas_core.system.address import shown_address
from tfaas_plugins.grpc_server.answering import Answering, refuse_because, write
from tfaas_plugins.grpc_server.arrivals import Arrivals
from tfaas_plugins.grpc_server.health import WATCH, Health
from tfaas_plugins.grpc_server.last_calls import LastCalls
from tfaas_plugins.grpc_server.streams import Streams
from tfaas_plugins.grpc_server.tls import credentials_of

_MS = 1000
_DEAD_AFTER_S = 120
"""A client that has not been heard of for so long is asked whether it is still there."""


class GrpcServer:
    """Serves a Host's services. Messages have ``max_message_bytes`` at most."""

    def __init__(self, host: Host, max_message_bytes: int) -> None:
        limits = host.config.limits
        self._tls = host.tls
        self._arrivals = Arrivals(limits.max_connections, host.in_flight)
        self._last_calls = LastCalls()
        is_secure = host.tls is not None
        self._answering = Answering(host, self._arrivals, self._last_calls, is_secure)
        self._streams = Streams(self._answering, limits.pace_window_s)
        self._leaving = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None
        most_bytes = min(max_message_bytes, host.config.server.max_body_bytes)
        options = _options(most_bytes, limits.head_timeout_s, limits.max_connections)
        self._server = grpc.aio.server(options=options)
        self._server.add_generic_rpc_handlers((self._calls(host),))

    async def start(self, kept: socket.socket) -> None:
        """Begins to accept connections, at the port that ``kept`` keeps."""
        address = shown_address(*kept.getsockname()[:2])
        if self._tls is None:
            self._server.add_insecure_port(address)
        else:
            self._server.add_secure_port(address, credentials_of(self._tls))
        await self._server.start()
        self._watching = asyncio.create_task(self._arrivals.watch())

    async def drain(self, timeout_s: float) -> None:
        """Answers what has come, ends streams, and lets nobody in; all is over in ``timeout_s``."""
        self._leaving.set()
        self._streams.drain()
        await self._last_calls.quiet()
        stopping = asyncio.ensure_future(self._server.stop(timeout_s))
        await asyncio.sleep(0)  # clients are told now, before anybody is refused
        self._last_calls.refuse()
        await stopping
        if self._watching is not None:
            self._watching.cancel()

    def _calls(self, host: Host) -> _Calls:
        services = host.services()
        known = {WATCH: grpc.stream_stream_rpc_method_handler(partial(self._watch, Health(host)))}
        for path, method in services.methods.items():
            known[path] = self._handler(path, method)
        return _Calls(known, partial(self._handler, method=services.unknown))

    def _handler(self, path: str, method: SealedMethod) -> Any:
        if method.method.streams:

            async def stream(_messages: Any, context: Any) -> None:
                await self._streams.answer(path, method, context)

            return grpc.stream_stream_rpc_method_handler(stream)

        async def unary(_messages: Any, context: Any) -> bytes:
            return await self._answering.unary(path, method, context)

        # It sends one message, too. But as a stream of one, it is read once guards let it pass.
        return grpc.stream_unary_rpc_method_handler(unary)

    async def _watch(self, health: Health, _messages: Any, context: Any) -> None:
        await self._answering.enter(context)
        try:
            message = await self._answering.message(context)
            await health.watch(message or b"", partial(write, context), self._leaving)
        except TfaasError as error:
            await refuse_because(context, error_answer(error))
        finally:
            self._answering.leave()


class _Calls:
    """Tells gRPC who answers a call; of ``known`` ones, handlers are there."""

    def __init__(self, known: dict[str, Any], other: Any) -> None:
        self._known = known
        self._other = other

    def service(self, handler_call_details: Any) -> Any:
        path = handler_call_details.method
        return self._known.get(path) or self._other(path)


def _options(max_message_bytes: int, handshake_s: float, connections: int) -> list[Any]:
    return [
        ("grpc.max_receive_message_length", max_message_bytes),
        ("grpc.max_send_message_length", -1),
        # Until somebody asks for a message, 64 KiB of it are taken, and not whatever is sent.
        ("grpc.http2.bdp_probe", 0),
        ("grpc.max_allowed_incoming_connections", connections),
        ("grpc.server_handshake_timeout_ms", int(handshake_s * _MS)),
        ("grpc.keepalive_time_ms", _DEAD_AFTER_S * _MS),
        ("grpc.so_reuseport", 1),
    ]
