"""Clients that send or take a byte now and then do not hold a connection for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.core.http.served import SANICS, Connection, Served, request, serve
from tfaas_core.http import protocol
from tfaas_core.route import Handler, Request, Response

QUICK = ("limits.pace_window_s=0.2", "limits.min_bytes_per_s=1000", "limits.head_timeout_s=0.2")
TICK_S = 0.01


async def echo(asked: Request) -> Response:
    return Response(asked.body)


LARGE = b"x" * (1 << 25)


async def large(_asked: Request) -> Response:
    return Response(LARGE)


async def pieces(_asked: Request) -> Response:
    async def stream() -> AsyncIterator[bytes]:
        for _ in range(512):
            yield LARGE[: 1 << 16]

    return Response(stream=stream())


HANDLERS: dict[str, Handler] = {"echo": echo, "large": large, "pieces": pieces}


async def dribbled(connection: Connection, data: bytes) -> bytes:
    """What the server sends while ``data`` comes byte by byte, and the last again and again."""

    async def send() -> None:
        for byte in [*data, *data[-1:] * 10_000]:
            connection.writer.write(bytes([byte]))
            await asyncio.sleep(TICK_S)

    sending = asyncio.create_task(send())
    answer = await connection.reader.read()
    sending.cancel()
    return answer


HEADS = {
    "a first line": request("echo")[:9],
    "a header": b"POST /echo HTTP/1.1\r\nHost: x\r\nX: 1",
    "an empty line before": b"\r\n",
}


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("sends", [True, False])
def test_a_head_that_does_not_end_is_a_408(head: bytes, before: bool, sends: bool) -> None:
    async def ask(served: Served) -> None:
        connection = await served.connect()
        if before:
            connection.post("echo")
            await connection.answer()
        connection.writer.write(head)
        answer = await (dribbled(connection, b"1") if sends else connection.reader.read())
        assert answer.startswith(b"HTTP/1.1 408 "), answer
        assert b"limits.head_timeout_s" in answer
        assert b"connection: close" in answer

    serve(HANDLERS, ask, *QUICK)


BODIES = {
    "of a length": request("echo", b"x" * 9999)[:-9999],
    "of a great length": request("echo", b"x" * 99_999)[:-99_999],
    "that nobody wants": request("nowhere", b"x" * 9999)[:-9999],
    "in chunks": b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n270f\r\n",
    "of a client that waits": request("echo", b"x" * 9999, "Expect: 100-continue")[:-9999],
}


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("sends", [True, False])
def test_a_body_that_comes_too_slowly_is_a_408(name: str, sends: bool) -> None:
    async def ask(served: Served) -> None:
        connection = await served.connect()
        connection.writer.write(BODIES[name])
        answer = await (dribbled(connection, b"x") if sends else connection.reader.read())
        if name == "that nobody wants":
            assert answer.startswith(b"HTTP/1.1 404 ")
        else:
            assert b"HTTP/1.1 408 " in answer, answer
            assert b"limits.min_bytes_per_s" in answer
            assert b"connection: close" in answer
        assert answer.count(b"HTTP/1.1 ") == 1 + (b"100 Continue" in answer)

    serve(HANDLERS, ask, *QUICK)


def test_a_body_that_is_quick_enough_may_take_long() -> None:
    body = b"x" * 100 * 64

    async def ask(served: Served) -> None:
        connection = await served.connect()
        data = request("echo", body)
        for at in range(0, len(data), 64):
            connection.writer.write(data[at : at + 64])
            await asyncio.sleep(TICK_S)
        assert (await connection.answer()).endswith(body)

    # Two windows, in each of which a single piece is enough: the client, too, waits for a core.
    serve(HANDLERS, ask, "limits.pace_window_s=0.5", "limits.min_bytes_per_s=100")


@pytest.mark.parametrize("name", ["large", "pieces"])
@pytest.mark.parametrize("headers", [(), SANICS], ids=["express", "Sanic's"])
def test_an_answer_that_nobody_takes_is_cut(name: str, headers: tuple[str, ...]) -> None:
    async def ask(served: Served) -> None:
        connection = await served.connect()
        connection.post(name, b"", *headers)
        transport = connection.writer.transport
        await connection.reader.readexactly(1)
        transport.pause_reading()  # type: ignore[attr-defined]
        while served.connections:
            await asyncio.sleep(TICK_S)

    serve(HANDLERS, ask, *QUICK)


@pytest.mark.parametrize("name", ["large", "pieces"])
@pytest.mark.parametrize("headers", [(), ("Connection: close",), SANICS])
def test_an_answer_that_is_taken_steadily_is_whole_however_long_that_takes(
    name: str, headers: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "LINGER_S", 0.05)

    async def ask(served: Served) -> None:
        connection = await served.connect()
        connection.post(name, b"", *headers)
        await connection.reader.readuntil(b"\r\n\r\n")
        taken = 0
        while taken < len(LARGE):
            taken += len(await connection.reader.read(1 << 18))
            await asyncio.sleep(2 * TICK_S)
            assert not connection.reader.at_eof() or taken >= len(LARGE)

    # On a busy machine, the client may have to wait for a core for longer than a short window. It
    # takes longer than this one, though.
    serve(HANDLERS, ask, "limits.pace_window_s=2", *QUICK[1:])
