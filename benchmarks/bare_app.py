"""The ceiling: a bare protocol of asyncio over uvloop that answers ``[0.5]`` to whatever comes.

It reads no head and no body, so nothing that Python serves in this way can be faster.
``python -m benchmarks.bare_app WORKERS`` is run as the no-op is.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Callable
from multiprocessing.synchronize import Barrier
from typing import Any

import uvloop

from benchmarks import noop_app

_ANSWER = (
    b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: keep-alive\r\n"
    b"content-type: application/json\r\n\r\n[0.5]"
)


class Bare(asyncio.Protocol):
    """Takes each piece that comes for a request."""

    _write: Callable[[bytes], None]

    def connection_made(self, transport: Any) -> None:
        self._write = transport.write

    def data_received(self, data: bytes) -> None:
        self._write(_ANSWER)


async def _serve(listener: socket.socket, all_listen: Barrier) -> None:
    await asyncio.get_running_loop().create_server(Bare, sock=listener)
    all_listen.wait()
    await asyncio.Event().wait()


def work(listener: socket.socket, all_listen: Barrier) -> None:
    """The whole life of a worker, which ends with its parent."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(listener, all_listen))


if __name__ == "__main__":
    noop_app.main(int(sys.argv[1]), work)
