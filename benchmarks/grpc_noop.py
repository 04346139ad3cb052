"""The yardstick of gRPC: a server of grpc.aio that takes a message, and does no more.

Served as TFaaS serves its own: processes that share a port, over uvloop. ``python -m
benchmarks.grpc_noop WORKERS`` prints its address once every worker listens, and runs until SIGTERM.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import sys
from multiprocessing.synchronize import Barrier
from typing import Any

import grpc
import uvloop

_START_TIMEOUT_S = 30
_ANSWER = bytes(64)


async def _answer(_message: bytes, _context: object) -> bytes:
    return _ANSWER


class _Calls:
    def service(self, _details: object) -> Any:
        return grpc.unary_unary_rpc_method_handler(_answer)


async def _serve(port: int, serving: Barrier) -> None:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((_Calls(),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    serving.wait(_START_TIMEOUT_S)
    await server.wait_for_termination()


def _worker(port: int, serving: Barrier) -> None:
    uvloop.run(_serve(port, serving))


def main() -> None:
    """Runs the workers until SIGTERM, or until the caller is gone."""
    workers = int(sys.argv[1])
    kept = socket.socket()
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    kept.bind(("127.0.0.1", 0))
    port = kept.getsockname()[1]
    spawn = multiprocessing.get_context("spawn")
    serving = spawn.Barrier(workers + 1)
    processes = [spawn.Process(target=_worker, args=(port, serving)) for _ in range(workers)]
    for process in processes:
        process.daemon = True
        process.start()
    serving.wait(_START_TIMEOUT_S)
    print(f"http://127.0.0.1:{port}", flush=True)
    signal.sigwait([signal.SIGTERM, signal.SIGINT])
    for process in processes:
        process.kill()
    os._exit(0)


if __name__ == "__main__":
    main()
