"""A server that has all that it can take still tells how it is, and can be managed."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tfaas_core.http.door import RESERVED_CONNECTIONS
from tfaas_core.testing.clients import fake_server
from tfaas_core.testing.runtime import TRIGGER
from tfaas_core.testing.server import RunningServer, http_client
from tfaas_core.testing.waiting import until

CONNECTIONS = 20
HELD = 100
HUNG = f'{{"model": "busy", "values": [{TRIGGER}, 2, 3]}}'.encode()

LIMITS = (
    *("server.workers=1", f"limits.max_connections={CONNECTIONS}", "engine.max_queue_rows=1"),
    # Held bodies take all of it, but for less than any other body has.
    f"limits.max_bytes_in_flight={HELD * (CONNECTIONS - 1) + len(HUNG) + 5}",
)

QUICK = ("/health/live", "/health/ready", "/health/startup", "/status", "/models")


def management_of(server: RunningServer) -> str:
    """The URL of the port for management, or else of the only one."""
    found = re.search(r", management at (\S+)$", server.start_line.strip())
    return found[1] if found else server.url


def held(url: str, request: bytes) -> socket.socket:
    """A connection with a request that was sent, or a part of it."""
    address = urlsplit(url)
    connection = socket.create_connection((address.hostname, address.port))
    connection.sendall(request)
    return connection


def post(path: str, length: int, body: bytes) -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode() + body


@contextmanager
def saturated(server: RunningServer, path: str, url: str, bodies: int) -> Iterator[None]:
    """In the block, all connections are taken, by bodies that do not end, and one model hangs."""
    with ExitStack() as connections:
        hung = held(server.url, post("/json", len(HUNG), HUNG))
        connections.enter_context(hung)
        for _ in range(bodies):
            connection = held(url, post(path, HELD + 1, b" " * HELD))
            connections.enter_context(connection)
        yield


def fresh(url: str, method: str, path: str, json: object = None) -> httpx.Response:
    """By a connection of its own."""
    with http_client(url) as client:
        return client.request(method, path, json=json)


def refused(url: str) -> bool:
    answer = fresh(url, "POST", "/json", {"model": "vk", "values": [1, 2, 3]})
    return answer.status_code == 503 and "limits.max_connections" in answer.json()["error"]


def check_is_managed(url: str) -> None:
    for path in QUICK:
        assert fresh(url, "GET", path).status_code == 200, path
    version = {"version": 1}
    assert fresh(url, "PUT", "/models/vk/labels/old", version).status_code == 200
    assert fresh(url, "POST", "/models/vk/rollback", version).json()["version"] == 1
    assert fresh(url, "DELETE", "/models/vk/labels/old").status_code == 200
    assert fresh(url, "DELETE", "/delete/busy").status_code == 200


def stored(url: str) -> None:
    with http_client(url) as client:
        for name, model in (("busy", b"hang"), ("vk", b"sum"), ("vk", b"sum")):
            parts = {"model": ("model.pb", model)}
            assert client.post("/upload", data={"name": name}, files=parts).status_code == 200


@pytest.mark.parametrize("settings", [(), ("server.admin_port=0",)], ids=["one", "two"])
def test_what_is_quick_is_answered_though_predictions_are_refused(
    tmp_path: Path, settings: tuple[str, ...]
) -> None:
    with fake_server(tmp_path, *LIMITS, *settings) as server, ExitStack() as connections:
        manage = management_of(server)
        stored(manage)
        with saturated(server, "/json", server.url, CONNECTIONS - 1):
            until(lambda: refused(server.url))
            check_is_managed(manage)
            extra = connections.enter_context(http_client(server.url))
            assert extra.get("/health/ready").status_code == 200
        # Also by a connection that was one too many.
        row = {"model": "vk", "values": [1, 2, 3]}
        until(lambda: extra.post("/json", json=row).status_code == 200)


def test_what_is_quick_is_answered_though_uploads_are_held(tmp_path: Path) -> None:
    with fake_server(tmp_path, *LIMITS, "server.admin_port=0") as server:
        manage = management_of(server)
        stored(manage)
        with saturated(server, "/upload", manage, CONNECTIONS):
            until(lambda: fresh(manage, "POST", "/upload").status_code == 503)
            check_is_managed(manage)


def test_whoever_has_sent_no_request_makes_room(tmp_path: Path) -> None:
    with fake_server(tmp_path, *LIMITS) as server, ExitStack() as connections:
        stored(server.url)
        for _ in range(3 * CONNECTIONS):
            connections.enter_context(held(server.url, b"POST /json HTTP/1.1\r\nHo"))
            answer = fresh(server.url, "POST", "/json", {"model": "vk", "values": [1, 2, 3]})
            assert answer.status_code == 200


def test_beyond_the_reserve_a_connection_is_answered_and_closed(tmp_path: Path) -> None:
    with fake_server(tmp_path, *LIMITS) as server, ExitStack() as connections:
        most = CONNECTIONS + RESERVED_CONNECTIONS
        for _ in range(most):
            connections.enter_context(held(server.url, post("/models/vk/rollback", HELD, b"{")))
        answers = []

        def is_refused() -> bool:
            with held(server.url, b"") as one_more, one_more.makefile("rb") as answer:
                one_more.settimeout(1)
                with suppress(TimeoutError):
                    answers.append(answer.read())
            return bool(answers)

        until(is_refused)
        assert answers[0].startswith(b"HTTP/1.1 503 ")
        assert b"\r\nRetry-After: 1\r\n" in answers[0]
