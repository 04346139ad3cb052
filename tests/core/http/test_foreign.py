"""What comes to the port and is no HTTP: TLS, and other bytes."""

from __future__ import annotations

import logging
import ssl

import pytest

from tests.core.http.served import Served, request, serve
from tfaas_core.http.foreign import ForeignWatch
from tfaas_core.route import Request, Response


async def echo(asked: Request) -> Response:
    return Response(asked.body)


def client_hello() -> bytes:
    sent = ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), sent, server_hostname="x")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return sent.read()


@pytest.mark.parametrize("size", [1, 5, 10_000])
def test_tls_is_closed_at_once_and_logged_once(size: int, caplog: pytest.LogCaptureFixture) -> None:
    async def speak(served: Served) -> None:
        for _ in range(3):
            connection = await served.connect()
            connection.writer.write(client_hello()[:size])
            assert await connection.reader.read() == b""

    with caplog.at_level(logging.INFO, "tfaas.http"):
        serve({"echo": echo}, speak)
    (record,) = (record for record in caplog.records if record.name == "tfaas.http")
    assert record.levelno == logging.INFO
    assert record.message.startswith("127.0.0.1 speaks TLS to this port, which takes plain HTTP")


def test_tls_is_logged_again_after_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    times_s = [0.0, 0.0, 59.9, 60.0, 60.0, 119.9]
    watch = ForeignWatch(iter(times_s).__next__)
    with caplog.at_level(logging.INFO, "tfaas.http"):
        for client in ("a", "b", "c", "d"):
            assert watch.answer(b"\x16\x03\x01", client) is None
    assert [message.split()[0] for message in caplog.messages] == ["a", "c"]


RUBBISH = (
    bytes(64),
    b"\xff\xfe",
    b"\x16x",
    b"\x80\x2e\x01",
    b" GET / HTTP/1.1\r\n",
    b"\r\n\r\n\x01",
    b"SSH-2.0-OpenSSH_9.6\r\n",
    b"PROXY TCP4 192.0.2.1 192.0.2.2 5 8083\r\nGET / HTTP/1.1\r\n",
    b"EHLO mail.example.org\r\n",
    b"GET /\r\n",
)


@pytest.mark.parametrize("rubbish", [*RUBBISH, b"GET /\x00 HTTP/1.1\r\n", b"SSH-2.0-\x1b\r\n"])
@pytest.mark.parametrize("before", [0, 2])
def test_rubbish_is_a_400_and_the_connection_closed_at_once(rubbish: bytes, before: int) -> None:
    async def speak(served: Served) -> None:
        connection = await served.connect()
        for _ in range(before):
            connection.post("echo", b"x")
            await connection.answer()
        connection.writer.write(rubbish)
        answer = await connection.reader.read()
        assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert b'"error":"this is not HTTP: ' in answer

    serve({"echo": echo}, speak)


@pytest.mark.parametrize(
    "sent",
    [
        request("echo", b"\x16\x03\x01\x00"),
        request("echo", bytes(64), "X-Lane: one", "X-Lane: two"),
    ],
)
def test_bodies_may_hold_any_bytes_and_come_in_any_pieces(sent: bytes) -> None:
    async def speak(served: Served) -> None:
        for cut in (0, 1, 2, 13, len(sent) - 4, len(sent) - 1):
            connection = await served.connect()
            connection.writer.write(sent[:cut])
            await connection.writer.drain()
            connection.writer.write(sent[cut:])
            assert (await connection.answer()).startswith(b"HTTP/1.1 200 OK\r\n")

    serve({"echo": echo}, speak)
