"""An HTTP server listens, and for a while it does not."""

from __future__ import annotations

import socket
import struct
from pathlib import Path

from tests.core.http.served import Served, serve
from tfaas_core.system.network.address import BACKLOG

_MOST_WAITING = struct.Struct("=28xI")
"""Of what Linux tells of a socket that listens."""


def most_waiting(listener: socket.socket) -> int:
    """How many connections may wait to be accepted."""
    told = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _MOST_WAITING.size)
    (found,) = _MOST_WAITING.unpack(told)
    return int(found)


def test_a_burst_of_clients_may_wait_to_be_accepted() -> None:
    most = min(BACKLOG, int(Path("/proc/sys/net/core/somaxconn").read_text()))

    async def look(served: Served) -> None:
        assert most_waiting(served.listener) == most
        served.server.rest()
        served.listener.listen(1)
        await served.server.accept()
        assert most_waiting(served.listener) == most

    serve({}, look)
