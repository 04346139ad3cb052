"""SIGTERM in a worker whose event loop is late: what has come by then is answered."""

from __future__ import annotations

import threading
from pathlib import Path

from tests.plugin_site import write_plugin
from tests.server.test_express import connected, request
from tfaas_core.testing.clients import fake_server
from tfaas_core.testing.waiting import until

LATE = """
import asyncio, pathlib, socket, time
from tfaas_core.hookspecs import hookimpl
from tfaas_core.route import Response, Route

def block(folder):
    (folder / "late").touch()
    # A connection without a request is not kept for as long.
    end_s = time.monotonic() + 0.6
    while time.monotonic() < end_s or not (folder / "sent").exists():
        time.sleep(0.01)

@hookimpl
def tfaas_register_routes(host):
    async def late(request):
        folder = pathlib.Path(request.body.decode())
        (folder / "asked").touch()
        while not (folder / "drains").exists():
            await asyncio.sleep(0.01)
        # While the loop reads of its sockets: next are its timers, and then its sockets again.
        loop, (one, other) = asyncio.get_running_loop(), socket.socketpair()
        with one, other:
            over = asyncio.Event()
            loop.add_reader(one, lambda: (loop.remove_reader(one), block(folder), over.set()))
            other.send(b"x")
            await over.wait()
        return Response(b"late")

    return [Route("/late", ("POST",), late)]
"""


def test_a_request_that_came_while_the_worker_was_late_is_answered(tmp_path: Path) -> None:
    write_plugin(tmp_path / "site", "tfaas-late", LATE)
    settings = "server.workers=1", "server.log_level=debug"
    with fake_server(tmp_path, *settings) as server, connected(server) as idle:
        assert server.upload("doubler", b"times 2").status_code == 200
        idle.send(request())
        assert idle.answer().endswith(b"[12.0]")
        body = str(tmp_path).encode()
        asking = threading.Thread(target=lambda: server.http.post("/late", content=body))
        asking.start()
        until((tmp_path / "asked").exists)
        server.process.terminate()
        until(lambda: "no connection is accepted any more" in server.log.read_text())
        (tmp_path / "drains").touch()
        until((tmp_path / "late").exists)
        idle.send(request())
        (tmp_path / "sent").touch()
        asking.join()
        answer = idle.answer()
    assert answer.endswith(b"[12.0]")
    assert b"connection: close\r\n" in answer
