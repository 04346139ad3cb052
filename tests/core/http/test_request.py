"""What a handler sees of a request; the same on both lanes, but for what only Sanic's takes."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.core.http.served import SANICS, Connection, Served, serve
from tfaas_core.http.request import client_of
from tfaas_core.route import ClientAddress, Handler, Request, Response, json_response

Ask = Callable[..., Awaitable[dict[str, Any]]]


async def show(asked: Request) -> Response:
    return json_response(
        {
            "method": asked.method,
            "path": asked.path,
            "raw_path": asked.head.raw_path,
            "path_fields": dict(asked.path_fields),
            "query": asked.query.pairs,
            "headers": [pair for pair in asked.headers.pairs if pair[0] != "x-lane"],
            "client": [asked.client.ip, asked.client.port],
            "scheme": asked.head.scheme,
            "body": asked.body.decode(),
        }
    )


HANDLERS: dict[str, Handler] = {"show": show, "models/{name}/{kind}:show": show}


@pytest.mark.parametrize("lane", [(), SANICS], ids=["express", "Sanic's"])
class TestRequest:
    @pytest.fixture
    def shown(self, lane: tuple[str, ...]) -> Callable[..., dict[str, Any]]:
        """What a handler sees of a request for ``target``, with more headers."""

        def ask(target: str, *headers: str, body: bytes = b"hi") -> dict[str, Any]:
            answers: list[dict[str, Any]] = []

            async def once(served: Served) -> None:
                connection = await served.connect()
                connection.post(target, body, *headers, *lane)
                answers.append(json.loads((await connection.answer()).partition(b"\r\n\r\n")[2]))
                answers[0]["own"] = list(connection.writer.get_extra_info("sockname"))

            serve(HANDLERS, once)
            return answers[0]

        return ask

    def test_its_parts(self, shown: Callable[..., dict[str, Any]]) -> None:
        seen = shown("show", "X-One:  1", "X-Two: zwei")
        assert (seen["method"], seen["body"], seen["scheme"]) == ("POST", "hi", "http")
        assert (seen["path"], seen["raw_path"], seen["query"]) == ("/show", "/show", [])
        assert seen["headers"] == [
            ["host", "x"],
            ["content-length", "2"],
            ["x-one", "1"],
            ["x-two", "zwei"],
        ]

    def test_the_client_is_the_peer_whatever_a_header_says(
        self, shown: Callable[..., dict[str, Any]]
    ) -> None:
        seen = shown("show", "X-Forwarded-For: 192.0.2.1", "Forwarded: for=192.0.2.2;proto=https")
        assert seen["client"] == seen["own"]
        assert seen["scheme"] == "http"

    def test_the_query_has_repeated_and_empty_fields_in_order(
        self, shown: Callable[..., dict[str, Any]]
    ) -> None:
        seen = shown("show?b=1&a=x+y%2B%E2%82%AC&b=2&c=&d&%FF=1&=2")
        assert seen["query"] == [
            ["b", "1"],
            ["a", "x y+€"],
            ["b", "2"],
            ["c", ""],
            ["d", ""],
            ["\ufffd", "1"],
            ["", "2"],
        ]
        assert seen["raw_path"] == "/show"

    def test_the_path_comes_decoded_and_as_it_was_sent(
        self, shown: Callable[..., dict[str, Any]]
    ) -> None:
        seen = shown("models/a%2Fb%20%E2%82%AC/x%3Ay:show/")
        assert seen["path_fields"] == {"name": "a/b €", "kind": "x:y"}
        assert seen["path"] == "/models/a/b €/x:y:show/"
        assert seen["raw_path"] == "/models/a%2Fb%20%E2%82%AC/x%3Ay:show/"

    def test_a_body_may_be_empty(self, shown: Callable[..., dict[str, Any]]) -> None:
        assert shown("show", body=b"")["body"] == ""


def test_repeated_headers_are_all_there_in_order() -> None:
    async def ask(served: Served) -> None:
        connection = await served.connect()
        connection.post("show", b"", "X-A: 1", "x-b: 2 \t", "x-a: 3")
        seen = json.loads((await connection.answer()).partition(b"\r\n\r\n")[2])
        assert seen["headers"][2:] == [["x-a", "1"], ["x-b", "2"], ["x-a", "3"]]

    serve(HANDLERS, ask)


# Each with what becomes of it.
TARGETS = {
    "/show": b"200",
    "/show?": b"200",
    "http://localhost:8083/show?x=1": b"200",
    "https://localhost/show": b"200",
    "/show#part": b"400",
    "/%73how": b"404",
    "//show": b"404",
    "/": b"404",
    "http://localhost": b"404",
    "*": b"400",
    "/models/%FF/x:show": b"400",
    "show": b"400",
    "localhost:8083": b"400",
    "?x": b"400",
    "/\xe9": b"400",
}


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_that_cannot_be_read_is_a_400_without_a_traceback(
    target: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def ask(served: Served) -> None:
        connection = await served.connect()
        line = f"POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
        connection.writer.write(line.encode())
        answer = await connection.answer()
        assert answer.split(b" ")[1] == TARGETS[target]

    serve(HANDLERS, ask)
    assert [record for record in caplog.records if record.name != "tfaas.access"] == []


async def receive(asked: Request) -> Response:
    return Response(asked.body)


LENGTHS = {
    "a body of the most bytes": (1000, "Content-Length: 1000", 200),
    "a longer one": (1001, "Content-Length: 1001", 413),
    "a longer one of a client that waits": (0, "Expect: 100-continue\r\nContent-Length: 1001", 413),
}


@pytest.mark.parametrize("what", LENGTHS)
@pytest.mark.parametrize("target", ["body", "nowhere"])
def test_a_body_over_the_limit_is_refused_and_one_that_nobody_wants_is_not_kept(
    what: str, target: str
) -> None:
    sent, length, status = LENGTHS[what]

    async def ask(served: Served) -> None:
        connection = await served.connect()
        await _send(connection, target, length, b"x" * sent)
        answer = await connection.answer()
        assert answer.split(b" ")[1] == (b"404" if target == "nowhere" else b"%d" % status)
        if status == 200:
            await _send(connection, "body", "Content-Length: 2", b"ok")
            assert (await connection.answer()).endswith(b"ok")

    serve({"body": receive}, ask, "server.max_body_bytes=1000")


async def _send(connection: Connection, target: str, length: str, body: bytes) -> None:
    lines = [f"POST /{target} HTTP/1.1", "Host: x", length, *SANICS, "\r\n"]
    connection.writer.write("\r\n".join(lines).encode() + body)


async def client_at(address: str | tuple[str, int], sock: socket.socket) -> ClientAddress:
    """The client that connects to ``address``, at which ``sock`` listens."""
    clients: list[ClientAddress] = []
    came = asyncio.Event()

    class Seen(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            clients.append(client_of(transport))
            came.set()

    server = await asyncio.get_running_loop().create_server(Seen, sock=sock)
    with socket.socket(socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX) as client:
        client.connect(address)
        await came.wait()
    server.close()
    return clients[0]


def test_a_client_at_a_unix_socket_has_no_address(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "socket"))
        client = asyncio.run(client_at(str(tmp_path / "socket"), sock))
    assert client == ClientAddress()
    assert client.is_local_socket


def test_a_client_over_ipv4_is_the_same_on_a_socket_of_ipv6() -> None:
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as sock:
        client = asyncio.run(client_at(("127.0.0.1", sock.getsockname()[1]), sock))
    assert client.ip == "127.0.0.1"


@pytest.mark.parametrize("ip", ["::1", "::ffff:0:1", "fe80::1%eth0", "127.0.0.1"])
def test_other_addresses_are_as_they_are(ip: str) -> None:
    assert ClientAddress.of_peer(ip, 1).ip == ip
