"""The yardstick: a Sanic application that parses the JSON of a predict request, and does no more.

Served as TFaaS serves its own: spawned processes that share one listening socket, over uvloop.
``python -m benchmarks.noop_app WORKERS`` prints its address once every worker listens, and runs
until SIGTERM.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import socket
import sys
from collections.abc import Callable
from multiprocessing.synchronize import Barrier

import orjson
import uvloop
from sanic import HTTPResponse, Sanic
from sanic.application.state import ApplicationServerInfo
from sanic.http.constants import HTTP
from sanic.request import Request

_BACKLOG = 4096
_START_TIMEOUT_S = 30
_ANSWER = b"[0.5]"


def create_app() -> Sanic:  # type: ignore[type-arg]
    """An application with the same settings as that of TFaaS."""
    app = Sanic("noop", configure_logging=False)
    app.config.update(
        {"ACCESS_LOG": False, "AUTO_EXTEND": False, "KEEP_ALIVE_TIMEOUT": 120, "MOTD": False}
    )

    async def answer(request: Request) -> HTTPResponse:
        orjson.loads(request.body)
        return HTTPResponse(_ANSWER, 200, {}, "application/json")

    app.add_route(answer, "/json", ["POST"])
    return app


async def _serve(listener: socket.socket, all_listen: Barrier) -> None:
    # What tfaas_core.http.server does, for the same reasons.
    os.environ["SANIC_WORKER_PROCESS"] = "true"
    app = create_app()
    app.state.server_info.append(ApplicationServerInfo(settings={"version": HTTP.VERSION_1}))
    server = await app.create_server(sock=listener, return_asyncio_server=True)
    assert server is not None
    await server.startup()  # type: ignore[no-untyped-call]
    await server.before_start()  # type: ignore[no-untyped-call]
    await server.after_start()  # type: ignore[no-untyped-call]
    all_listen.wait()
    await asyncio.Event().wait()


def work(listener: socket.socket, all_listen: Barrier) -> None:
    """The whole life of a worker, which ends with its parent."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(listener, all_listen))


def main(workers: int, work: Callable[[socket.socket, Barrier], None] = work) -> None:
    """Serves on a free port until SIGTERM; ``work`` is what each worker does."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    context = multiprocessing.get_context("spawn")
    all_listen = context.Barrier(workers + 1)
    with socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG) as listener:
        for _ in range(workers):
            context.Process(target=work, args=(listener, all_listen), daemon=True).start()
        all_listen.wait(_START_TIMEOUT_S)
        print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        # Daemonic processes are ended by multiprocessing when this one leaves.
        signal.pause()


if __name__ == "__main__":
    main(int(sys.argv[1]))
