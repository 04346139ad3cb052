"""A gRPC server that passes calls on to another one, and changes them, or the answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple

import grpc

Bytes = Iterator[bytes]


class CallChange(NamedTuple):
    """What becomes of calls: of what is sent, of each answer, and of the code and the details.

    Each function gets the method's name first.
    """

    sent: Callable[[str, bytes], bytes] = lambda _method, message: message
    answered: Callable[[str, bytes], bytes] = lambda _method, message: message
    ended: Callable[[str, Any, str], tuple[Any, str]] = lambda _method, code, told: (code, told)


@contextmanager
def changing_calls(address: str, change: CallChange) -> Iterator[str]:
    """Serves what ``change`` makes of the server at ``address``; gives the address."""
    with grpc.insecure_channel(address) as channel, serving(_Handlers(channel, change)) as place:
        yield place


@contextmanager
def serving(handlers: Any, credentials: Any = None) -> Iterator[str]:
    """Serves these handlers, by TLS if there are ``credentials``; gives the address."""
    pool = ThreadPoolExecutor(8)
    server = grpc.server(pool, handlers=[handlers], options=[("grpc.so_reuseport", 0)])
    port = (
        server.add_secure_port("127.0.0.1:0", credentials)
        if credentials
        else server.add_insecure_port("127.0.0.1:0")
    )
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(0).wait()
        pool.shutdown()


class _Handlers(grpc.GenericRpcHandler):  # type: ignore[misc]
    def __init__(self, channel: Any, change: CallChange) -> None:
        self._channel = channel
        self._change = change

    def service(self, details: Any) -> Any:
        path = str(details.method)
        if path.endswith("ModelStreamInfer"):
            return grpc.stream_stream_rpc_method_handler(lambda s, c: self._stream(path, s, c))
        return grpc.unary_unary_rpc_method_handler(lambda m, c: self._call(path, m, c))

    def _call(self, path: str, message: bytes, context: Any) -> bytes:
        name = path.rpartition("/")[2]
        try:
            answer = self._channel.unary_unary(path)(self._change.sent(name, message), timeout=60)
        except grpc.RpcError as error:
            context.abort(*self._change.ended(name, error.code(), error.details()))
            raise
        return self._change.answered(name, answer)

    def _stream(self, path: str, sent: Bytes, context: Any) -> Bytes:
        name = path.rpartition("/")[2]
        changed = (self._change.sent(name, message) for message in sent)
        try:
            for answer in self._channel.stream_stream(path)(changed, timeout=60):
                yield self._change.answered(name, answer)
        except grpc.RpcError as error:
            context.abort(*self._change.ended(name, error.code(), error.details()))
