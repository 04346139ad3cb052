"""Accepting: calls of gRPC, each by its method; the one module that touches grpc's private parts.

grpc.aio decodes the path of a call of a method that it was not told of, and stops serving if that
is no UTF-8, which any client can send. So it is told of all methods, whose paths its C core
compares, and nobody looks at any other path.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import grpc
from grpc._cython import cygrpc

UNKNOWN = "/"
"""What stands for the path of a method that nobody serves."""

_OF_CLIENTS = ("Invalid encoding on", "ExecuteBatchError raised in core")
"""How grpc begins to say, with a traceback, that a client sent no text, or has gone."""


def server_of(handlers: Mapping[str, Any], options: list[Any]) -> Any:
    """A server of grpc.aio; ``handlers`` by the paths of their methods, and one at UNKNOWN."""
    server = grpc.aio.server(options=options)
    server._server = _AcceptingServer(handlers, options)
    logging.getLogger(cygrpc.__name__).addFilter(_is_of_server)
    return server


class _AcceptingServer(cygrpc.AioServer):  # type: ignore[misc]
    """Has a task for each method, which takes one call after another."""

    def __init__(self, handlers: Mapping[str, Any], options: list[Any]) -> None:
        self._loop = asyncio.get_running_loop()
        super().__init__(self._loop, None, (), (), options, None)
        self._handlers = handlers
        self._calls: set[asyncio.Task[None]] = set()
        self.add_registered_method_handlers(
            {path: handler for path, handler in handlers.items() if path != UNKNOWN}
        )

    def _make_request_call_future(self, path: bytes | None) -> asyncio.Task[None]:
        """Called at the start, once for each method, and with None for all others."""
        return self._loop.create_task(self._accept(path))

    async def _accept(self, path: bytes | None) -> None:
        """Until the server stops, which is told by an error."""
        name = UNKNOWN if path is None else path.decode()
        handler = self._handlers[name]
        handle = (
            cygrpc._handle_stream_stream_rpc
            if handler.response_streaming
            else cygrpc._handle_stream_unary_rpc
        )
        while True:
            try:
                state = await self._next(path)
            except cygrpc._RequestCallError:
                if not self.is_running():
                    raise
                continue
            answer = handle(handler, state, self._loop)
            call = self._loop.create_task(
                cygrpc._schedule_rpc_coro(answer, state, self._loop, name)
            )
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)

    async def _next(self, path: bytes | None) -> Any:
        if path is None:
            return await self._request_call()
        return await self._request_registered_call(path)


def _is_of_server(record: logging.LogRecord) -> bool:
    """Whether it is for who runs the server; what clients do could fill a disk."""
    return not str(record.msg).startswith(_OF_CLIENTS)
