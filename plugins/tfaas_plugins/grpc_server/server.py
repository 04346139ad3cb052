"""The gRPC server of one HTTP worker: it starts, and it drains without losing a call."""

from __future__ import annotations

import asyncio
import resource
import socket
import sys
from functools import partial
from typing import Any

import grpc

from tfaas_core.errors import TfaasError
from tfaas_core.host import Host
from tfaas_core.routing.sealed_services import SealedMethod
from tfaas_core.routing.seam import error_answer
from tfaas_core.system.network.handshakes import watch_handshakes
from tfaas_plugins.grpc_server.accepting import UNKNOWN, server_of
from tfaas_plugins.grpc_server.answering import Answering, refuse_because
from tfaas_plugins.grpc_server.answers import Answers
from tfaas_plugins.grpc_server.arrivals import Arrivals
from tfaas_plugins.grpc_server.gate import FILES, Gate
from tfaas_plugins.grpc_server.health import WATCH, Health
from tfaas_plugins.grpc_server.last_calls import LastCalls
from tfaas_plugins.grpc_server.slow_messages import SlowMessages
from tfaas_plugins.grpc_server.streams import Streams
from tfaas_plugins.grpc_server.tls import GrpcTls

_MS = 1000
_STREAMS = 1024
"""Calls at once that each connection may have."""

_HEAD_BYTES = 16_384
"""Of the metadata of a call, as HTTP/2 counts them: 32 bytes more for each."""

_DEAD_AFTER_S = 120
"""A client that has not been heard of for so long is asked whether it is still there."""

_MOST_CONNECTIONS = 2**31 - 1
"""The library counts them so far."""

_IDLE_S = 120
"""A connection without a call is closed then, so that others find room; clients open another."""


class GrpcServer:
    """Serves a Host's services.

    Messages have ``max_message_bytes`` at most, and answers ``max_answer_bytes``: gRPC's library
    copies each in one go, and no other request of the HTTP worker has its turn meanwhile.
    """

    def __init__(self, host: Host, max_message_bytes: int, max_answer_bytes: int) -> None:
        limits = host.config.limits
        self._tls = None if host.tls is None else GrpcTls(host.tls)
        connections = min(limits.max_connections, _most_connections())
        self._gate = Gate(self._tls, limits.head_timeout_s, connections)
        self._answers = Answers(self._gate, host.in_flight, limits)
        self._arrivals = Arrivals(limits.max_connections, host.in_flight, self._gate)
        self._slow_messages = SlowMessages(self._arrivals, self._gate, limits)
        self._last_calls = LastCalls()
        self._answering = Answering(
            host,
            self._gate,
            self._arrivals,
            self._answers,
            self._last_calls,
            max_answer_bytes,
        )
        self._streams = Streams(self._answering)
        self._leaving = asyncio.Event()
        self._watching: list[asyncio.Task[None]] = []
        most_bytes = min(max_message_bytes, host.config.server.max_body_bytes)
        options = _options(most_bytes, limits.head_timeout_s, connections)
        self._server = server_of(self._handlers(host), options)

    async def start(self, kept: socket.socket) -> None:
        """Begins to accept connections, at the port that ``kept`` keeps."""
        self._server.add_insecure_port(self._gate.library_address)
        await self._server.start()
        if self._tls is not None:
            watch_handshakes(self._tls.context, asyncio.get_running_loop(), "gRPC", "tfaas.grpc")
        await self._gate.open(kept)
        for watch in (self._arrivals.watch, self._answers.watch, self._slow_messages.watch):
            self._watching.append(asyncio.create_task(watch()))

    async def drain(self, timeout_s: float) -> None:
        """Answers what has come, ends streams, and lets nobody in; all is over in ``timeout_s``."""
        self._leaving.set()
        self._streams.drain()
        await self._last_calls.quiet()
        self._gate.close()
        stopping = asyncio.ensure_future(self._server.stop(timeout_s))
        await asyncio.sleep(0)  # clients are told now, before anybody is refused
        self._last_calls.refuse()
        await stopping
        await self._gate.end()
        for watching in self._watching:
            watching.cancel()

    def _handlers(self, host: Host) -> dict[str, Any]:
        services = host.services()
        handlers = {path: self._handler(path, method) for path, method in services.methods.items()}
        watch = partial(self._watch, Health(host))
        handlers[WATCH] = grpc.stream_stream_rpc_method_handler(watch)
        handlers[UNKNOWN] = self._handler(UNKNOWN, services.unknown)
        return handlers

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
            write = partial(self._answering.write, context=context)
            await health.watch(message or b"", write, self._leaving)
        except TfaasError as error:
            await refuse_because(context, error_answer(error))


def _most_connections() -> int:
    """As many as half of the files that may be open; the others are for HTTP, and for models."""
    files, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if files == resource.RLIM_INFINITY else files // (2 * FILES)


def _options(max_message_bytes: int, handshake_s: float, connections: int) -> list[Any]:
    return [
        ("grpc.max_receive_message_length", max_message_bytes),
        ("grpc.max_send_message_length", -1),
        # Until somebody asks for a message, 64 KiB of it are taken, and not whatever is sent.
        ("grpc.http2.bdp_probe", 0),
        # Beyond it, fields are not kept. Below it, no call is to be refused by chance.
        ("grpc.absolute_max_metadata_size", _HEAD_BYTES),
        ("grpc.max_metadata_size", _HEAD_BYTES),
        # Of one client. Without a limit, it has as many calls begun as it can send heads.
        ("grpc.max_concurrent_streams", _STREAMS),
        # The gate bounds them, and the library may hear later than it of one that was cut.
        ("grpc.max_allowed_incoming_connections", min(2 * connections, _MOST_CONNECTIONS)),
        ("grpc.server_handshake_timeout_ms", int(handshake_s * _MS)),
        ("grpc.keepalive_time_ms", _DEAD_AFTER_S * _MS),
        ("grpc.max_connection_idle_ms", _IDLE_S * _MS),
    ]
