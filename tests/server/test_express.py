"""Plain requests take a lane of their own, and no client can tell by anything but its speed."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

import pytest

from tfaas_core.testing.clients import fake_server
from tfaas_core.testing.server import RunningServer
from tfaas_core.testing.waiting import until

SANICS = ("X-Lane: Sanic's", "X-Lane: because this one is repeated")
"""Headers of a request that is not plain."""

ROW = b'{"model": "doubler", "values": [1, 2, 3]}'


class Connection:
    """A client's end of a connection."""

    def __init__(self, sock: socket.socket, file: BinaryIO) -> None:
        self._sock = sock
        self._file = file

    def send(self, data: bytes) -> None:
        self._sock.sendall(data)

    def answer(self) -> bytes:
        """The bytes of the next answer, whole."""
        head, length = b"", 0
        while not head.endswith(b"\r\n\r\n"):
            line = self._file.readline()
            assert line, f"the server hung up behind {head!r}"
            head += line
            if line.startswith(b"content-length: "):
                length = int(line.partition(b" ")[2])
        return head + self._file.read(length)

    def rest(self) -> bytes:
        """All that comes until the server hangs up."""
        return self._file.read()


@contextmanager
def connected(server: RunningServer) -> Iterator[Connection]:
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port), timeout=60) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with sock.makefile("rb") as file:
            yield Connection(sock, file)


def request(*headers: str, line: str = "POST /json HTTP/1.1", body: bytes = ROW) -> bytes:
    headers = headers or (f"Content-Length: {len(body)}",)
    return "\r\n".join([line, "Host: x", *headers, "\r\n"]).encode("latin-1") + body


def row(*values: float) -> bytes:
    return request(body=json.dumps({"model": "doubler", "values": values}).encode())


@pytest.mark.parametrize("path", ["/json", "/predict/json", "/proto", "/image", "/msgpack"])
@pytest.mark.parametrize("content_type", ["application/json", "text/x", "", None])
@pytest.mark.parametrize(
    "body",
    [
        *(ROW, b"", b"{", b"[]", b'{"model": "nobody", "values": [1]}'),
        b'{"model": "doubler", "version": 1, "values": [1, 2, 3]}',
        b'{"model": "doubler", "version": 7, "values": [1, 2, 3]}',
    ],
    ids=repr,
)
@pytest.mark.usefixtures("doubler")
def test_both_lanes_answer_the_same_bytes(
    server: RunningServer, path: str, content_type: str | None, body: bytes
) -> None:
    headers = [f"Content-Length: {len(body)}"]
    if content_type is not None:
        headers.append(f"Content-Type: {content_type}")
    with connected(server) as connection:
        answers = []
        for more in ((), SANICS, ()):
            connection.send(request(*headers, *more, line=f"POST {path} HTTP/1.1", body=body))
            answers.append(connection.answer())
    assert answers[0] == answers[1] == answers[2]
    if (path, content_type, body) == ("/json", "application/json", ROW):
        assert answers[0].endswith(b"[2.0,4.0,6.0]")
        assert b"\r\nTFaaS-Model: doubler/1\r\n" in answers[0]


LENGTH = f"Content-Length: {len(ROW)}"
CHUNKED = b"%x\r\n%b\r\n0\r\n\r\n" % (len(ROW), ROW)

NOT_PLAIN: dict[str, tuple[bytes, int]] = {
    "a query": (request(line="POST /json?x=1 HTTP/1.1"), 200),
    "a trailing slash": (request(line="POST /json/ HTTP/1.1"), 200),
    "another method": (request(line="PUT /json HTTP/1.1"), 405),
    "another path": (request(line="POST /jso HTTP/1.1"), 404),
    "a non-ASCII path": (request(line="POST /j\xe9 HTTP/1.1"), 400),
    "HTTP/1.0": (request(line="POST /json HTTP/1.0"), 200),
    "HTTP/3": (request(line="POST /json HTTP/3"), 400),
    "another connection": (request(LENGTH, "Connection: close, TE"), 200),
    "header case": (request(LENGTH.upper(), *SANICS), 200),
    "chunked": (request("Transfer-Encoding: chunked", body=CHUNKED), 200),
    "two lengths": (request(LENGTH, LENGTH), 400),
    "two different lengths": (request(LENGTH, "Content-Length: 0"), 400),
    "chunked and a length": (request(LENGTH, "Transfer-Encoding: chunked"), 400),
    "a signed length": (request("Content-Length: +41"), 400),
    "a folded header": (request(LENGTH, "X: 1", " 2"), 400),
    "a header without a colon": (request(LENGTH, "X"), 400),
    "no length": (request("X: x", body=b""), 400),
    "another expectation": (request(LENGTH, "Expect: more"), 417),
}


@pytest.mark.parametrize(("data", "status"), NOT_PLAIN.values(), ids=NOT_PLAIN)
@pytest.mark.usefixtures("doubler")
def test_requests_that_are_not_plain_are_answered_behind_a_plain_one(
    server: RunningServer, data: bytes, status: int
) -> None:
    with connected(server) as connection:
        connection.send(request())
        assert connection.answer().endswith(b"[2.0,4.0,6.0]")
        connection.send(data)
        answer = connection.answer()
        assert answer.startswith(b"HTTP/1.1 %d " % status)
        if b"connection: close" in answer:
            assert connection.rest() == b""
        else:
            connection.send(request())
            assert connection.answer().endswith(b"[2.0,4.0,6.0]")


@pytest.mark.parametrize("close", ["Connection: close", "CONNECTION: Close"])
@pytest.mark.usefixtures("doubler")
def test_a_client_that_wants_one_answer_gets_no_other(server: RunningServer, close: str) -> None:
    answers = []
    for more in ((), SANICS):
        with connected(server) as connection:
            connection.send(request(LENGTH, close, *more) + request())
            answers.append(connection.rest())
    assert answers[0] == answers[1]
    assert answers[0].count(b"HTTP/1.1") == 1
    assert b"connection: close\r\n" in answers[0]
    assert answers[0].endswith(b"[2.0,4.0,6.0]")


@pytest.mark.usefixtures("doubler")
def test_a_client_that_asks_whether_to_continue_is_told(server: RunningServer) -> None:
    with connected(server) as connection:
        connection.send(request(LENGTH, "Expect: 100-continue", body=b""))
        assert connection.answer() == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.send(ROW)
        assert connection.answer().endswith(b"[2.0,4.0,6.0]")


@pytest.mark.usefixtures("doubler")
@pytest.mark.parametrize("piece_bytes", [1, 7, 90, 100, 1000, 1_000_000])
def test_pipelined_requests_are_answered_in_order_however_they_are_cut(
    server: RunningServer, piece_bytes: int
) -> None:
    chunked = request("Transfer-Encoding: chunked", body=CHUNKED)
    sent = b"".join(row(number, 0, 0) + chunked for number in range(20))
    with connected(server) as connection:
        for start in range(0, len(sent), piece_bytes):
            connection.send(sent[start : start + piece_bytes])
        for number in range(20):
            assert connection.answer().endswith(b"\r\n\r\n[%.1f,0.0,0.0]" % (2 * number))
            assert connection.answer().endswith(b"[2.0,4.0,6.0]")


@pytest.mark.usefixtures("doubler")
def test_whole_requests_that_come_early_are_answered_in_order(server: RunningServer) -> None:
    with connected(server) as connection:
        for number in range(200):
            connection.send(row(number, 0, 0))
        for number in range(200):
            assert connection.answer().endswith(b"\r\n\r\n[%.1f,0.0,0.0]" % (2 * number))


@pytest.mark.usefixtures("doubler")
def test_a_body_that_looks_like_a_request_is_none(server: RunningServer) -> None:
    body = request()
    with connected(server) as connection:
        connection.send(request(f"Content-Length: {len(body)}", body=body))
        assert connection.answer().startswith(b"HTTP/1.1 400 ")
        connection.send(row(7, 0, 0))
        assert connection.answer().endswith(b"[14.0,0.0,0.0]")


@pytest.mark.usefixtures("doubler")
def test_clients_that_go_away_leave_no_rows_in_the_queue(server: RunningServer) -> None:
    body = json.dumps({"model": "doubler", "values": [[1, 2, 3]] * 1000}).encode()
    for _ in range(50):
        with connected(server) as connection:
            connection.send(request(body=body))

    def rows_in_flight() -> int:
        models = server.http.get("/status").json()["models"]
        return sum(
            model["rows_in_flight"] for model in models if model["model"].startswith("doubler/")
        )

    until(lambda: rows_in_flight() == 0)
    assert server.predict(model="doubler", values=[1, 2, 3]).json() == [2.0, 4.0, 6.0]
    assert "never retrieved" not in server.log.read_text()


GATE_PLUGIN = """
import asyncio
from pathlib import Path

from tfaas_core.hookspecs import hookimpl
from tfaas_core.route import Response, Route

async def gate(request):
    name = request.body.decode()
    Path(name).touch()
    while not Path(name).with_name("open").exists():
        await asyncio.sleep(0.01)
    return Response(b"through")

@hookimpl
def tfaas_register_routes(host):
    return [Route("/gate", ("POST",), gate, express=True)]
"""


def refuses_connections(server: RunningServer) -> bool:
    try:
        with connected(server):
            return False
    except OSError:
        return True


def test_sigterm_lets_requests_of_both_lanes_end(tmp_path: Path) -> None:
    info = tmp_path / "site" / "gate-1.0.dist-info"
    info.mkdir(parents=True)
    (tmp_path / "site" / "gate.py").write_text(GATE_PLUGIN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: gate\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[tfaas]\ngate = gate\n")
    with (
        fake_server(tmp_path, "server.workers=1") as server,
        connected(server) as express,
        connected(server) as sanics,
    ):
        for name, connection, more in (("a", express, ()), ("b", sanics, SANICS)):
            body = str(tmp_path / name).encode()
            length = f"Content-Length: {len(body)}"
            connection.send(request(length, *more, line="POST /gate HTTP/1.1", body=body))
            until((tmp_path / name).exists)
        server.process.terminate()
        until(lambda: refuses_connections(server))
        (tmp_path / "open").touch()
        answers = [connection.rest() for connection in (express, sanics)]
        for answer in answers:
            assert answer.startswith(b"HTTP/1.1 200 ")
            assert b"connection: close\r\n" in answer
            assert answer.endswith(b"through")
    assert server.process.returncode == 0
    assert "Traceback" not in server.log.read_text()
