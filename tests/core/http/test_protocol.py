"""The express lane and Sanic's, on one connection: the same answers, and none lost."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import AsyncIterator
from typing import Any, ClassVar

import pytest

from tests.core.http.served import SANICS, Connection, Served, request, serve
from tfaas_core.errors import DoesNotFit, QueueFull, TfaasError
from tfaas_core.route import Handler, Request, Response


async def echo(asked: Request) -> Response:
    return Response(asked.body)


def answering(**fields: Any) -> Handler:
    async def handler(_request: Request) -> Response:
        return Response(**fields)

    return handler


def failing(error: BaseException) -> Handler:
    async def handler(_request: Request) -> Response:
        raise error

    return handler


class OddError(TfaasError):
    status: int = 499
    code: ClassVar[str] = "odd"


class OddHeader(TfaasError):
    status = 400
    code = "odd_header"

    def headers(self) -> dict[str, str]:
        return {"X": "1\r\nSet-Cookie: a=b"}


async def answering_nothing(_request: Request) -> Any:
    return None


async def pieces() -> AsyncIterator[bytes]:
    yield b"never sent"


HANDLERS: dict[str, Handler] = {
    "echo": echo,
    "empty": answering(),
    "text": answering(body="é".encode(), media_type="text/plain; charset=utf-8"),
    "headers": answering(body=b"x", headers={"X-One": "1", "x-two": "zwei, drei"}),
    "201": answering(body=b"x", status=201),
    "204": answering(status=204),
    "204-with-body": answering(status=204, body=b"x"),
    "304": answering(status=304, headers={"ETag": "x"}),
    "413": answering(body=b"x", status=413),
    "599": answering(body=b"x", status=599),
    "error": failing(DoesNotFit("it does not fit", field="values")),
    "busy": failing(QueueFull("full")),
    "odd-error": failing(OddError("odd")),
}

BUGS: dict[str, Handler] = {
    "bug": failing(ValueError("a bug")),
    "stream": answering(stream=pieces()),
    "no-answer": answering_nothing,
    "end": failing(asyncio.CancelledError()),
    "exit": failing(SystemExit()),
    "header-of-error": failing(OddHeader("odd")),
    "status-none": answering(status=None),
    "status-text": answering(status="200"),
    "status-float": answering(status=200.0),
    "status-true": answering(status=True),
    "status-0": answering(status=0),
    "status-100": answering(status=100),
    "status-600": answering(status=600),
    "status-1000": answering(status=1000),
    "body-none": answering(body=None),
    "body-text": answering(body="text"),
    "body-array": answering(body=bytearray(b"text")),
    "type-none": answering(media_type=None),
    "type-bytes": answering(media_type=b"a/b"),
    "type-list": answering(media_type=["a/b"]),
    "type-empty": answering(media_type=""),
    "type-split": answering(media_type="text/x\r\nSet-Cookie: a=b"),
    "type-odd": answering(media_type="text/é"),
    "headers-none": answering(headers=None),
    "headers-pairs": answering(headers=[("a", "b")]),
    "header-split": answering(headers={"X": "1\r\nSet-Cookie: a=b\r\n\r\nHTTP/1.1 200 OK"}),
    "header-number": answering(headers={"X": 5}),
    "header-list": answering(headers={"X": ["a"]}),
    "header-odd": answering(headers={"X": "zwei é"}),
    "name-split": answering(headers={"X\r\nY": "1"}),
    "name-space": answering(headers={"X Y": "1"}),
    "name-odd": answering(headers={"Ü": "1"}),
    "name-none": answering(headers={None: "1"}),
    "own-length": answering(body=b"x", headers={"Content-Length": "1"}),
    "own-end": answering(headers={"Connection": "close"}),
    "own-type": answering(headers={"content-TYPE": "text/x"}),
    "own-chunks": answering(headers={"transfer-encoding": "chunked"}),
    "own-201": answering(status=201, headers={"transfer-encoding": "chunked"}),
    "own-upgrade": answering(headers={"Upgrade": "h2c"}),
}


async def both_answers(connection: Connection, name: str) -> list[bytes]:
    """On the express lane, on Sanic's, and on the express lane again."""
    answers = []
    for headers in ((), SANICS, ()):
        connection.post(name, b"a body", *headers)
        answers.append(await connection.answer())
    return answers


def test_both_lanes_answer_the_same_bytes() -> None:
    async def compare(served: Served) -> None:
        connection = await served.connect()
        for name in HANDLERS:
            express, sanics, again = await both_answers(connection, name)
            assert express == sanics == again, name
            assert b"connection: keep-alive\r\n" in express
            assert b"\nset-cookie" not in express.lower()

    serve(HANDLERS, compare)


def test_a_bug_in_a_handler_is_a_500_and_a_line_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def compare(served: Served) -> None:
        connection = await served.connect()
        for name in BUGS:
            caplog.clear()
            express, sanics, again = await both_answers(connection, name)
            assert express == sanics == again, name
            assert express.startswith(b"HTTP/1.1 500 Internal Server Error\r\n"), name
            lines = [record.message for record in caplog.records if record.name == "tfaas.http"]
            assert lines == [f"POST /{name} failed"] * 3

    with caplog.at_level(logging.ERROR):
        serve(BUGS, compare)


class Gate:
    """A handler that answers when it is told to."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.came = asyncio.Semaphore(0)
        self.cancelled = asyncio.Event()

    async def handler(self, asked: Request) -> Response:
        self.came.release()
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return Response(asked.body)


def test_requests_that_come_early_are_answered_in_order() -> None:
    gate = Gate()

    async def pipeline(served: Served) -> None:
        connection = await served.connect()
        connection.post("gate", b"0")
        await gate.came.acquire()
        for number in range(1, 10):
            connection.post("echo", b"%d" % number, *(SANICS if number % 3 == 0 else ()))
        gate.open.set()
        for number in range(10):
            assert (await connection.answer()).endswith(b"\r\n\r\n%d" % number)

    serve({"gate": gate.handler, "echo": echo}, pipeline)


@pytest.mark.parametrize("early", range(0, 160, 7))
def test_a_next_request_may_come_in_parts(early: int) -> None:
    gate = Gate()
    following = request("echo", b"1", "X: " + "x" * 60) + request("echo", b"2", *SANICS)

    async def pipeline(served: Served) -> None:
        connection = await served.connect()
        connection.post("gate", b"0")
        await gate.came.acquire()
        connection.writer.write(following[:early])
        gate.open.set()
        assert (await connection.answer()).endswith(b"\r\n\r\n0")
        connection.writer.write(following[early:])
        for number in (1, 2):
            assert (await connection.answer()).endswith(b"\r\n\r\n%d" % number)
        connection.post("echo", b"3")
        assert (await connection.answer()).endswith(b"\r\n\r\n3")

    serve({"gate": gate.handler, "echo": echo}, pipeline)


def test_what_comes_early_is_not_read_without_end() -> None:
    gate = Gate()
    more = request("echo", b"x" * 20_000)

    async def pipeline(served: Served) -> None:
        connection = await served.connect()
        connection.post("gate")
        await gate.came.acquire()
        sent = 0
        # Its own buffers, too, are full only when nobody reads at the other end.
        while connection.writer.transport.get_write_buffer_size() < 1 << 20:
            assert sent * len(more) < 1 << 27, "somebody reads all this"
            connection.writer.write(more)
            sent += 1
            await asyncio.sleep(0)
        gate.open.set()
        await connection.answer()
        for _ in range(sent):
            assert (await connection.answer()).endswith(b"x" * 20_000)

    serve({"gate": gate.handler, "echo": echo}, pipeline)


def test_a_client_that_does_not_read_its_answer_gets_no_second_one() -> None:
    large = b"x" * (1 << 25)
    made: list[int] = []

    async def handler(asked: Request) -> Response:
        made.append(int(asked.body))
        return Response(large + asked.body)

    async def ask(served: Served) -> None:
        slow, other = await served.connect(), await served.connect()
        slow.post("large", b"1")
        await slow.reader.readexactly(1)
        for number in (2, 3):
            slow.post("large", b"%d" % number)
            other.post("echo", b"others go on")
            await other.answer()
        assert 3 not in made
        for last in (b"x1", b"x2", b"x3"):
            assert (await slow.answer()).endswith(last)

    serve({"large": handler, "echo": echo}, ask)


def test_a_client_that_goes_away_is_not_worked_for(caplog: pytest.LogCaptureFixture) -> None:
    gate = Gate()

    async def leave(served: Served) -> None:
        connection = await served.connect()
        connection.post("gate")
        await gate.came.acquire()
        connection.post("echo", b"never answered")
        connection.writer.transport.abort()
        await gate.cancelled.wait()

    serve({"gate": gate.handler, "echo": echo}, leave)
    # A task whose error nobody saw says so when it is collected.
    gc.collect()
    assert caplog.records == []


def test_a_handler_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tfaas_core.http.app.UPLOAD_TIMEOUT_S", 0)
    gate = Gate()

    async def wait(served: Served) -> None:
        answers = []
        for headers in ((), SANICS):
            connection = await served.connect()
            connection.post("gate", b"", *headers)
            answers.append(await connection.reader.read())
            assert gate.cancelled.is_set()
            gate.cancelled.clear()
        assert answers[0] == answers[1]
        assert answers[0].startswith(b"HTTP/1.1 503 ")
        assert b"connection: close\r\n" in answers[0]

    serve({"gate": gate.handler}, wait, "server.request_timeout_s=0.1")


@pytest.mark.parametrize("headers", [(), SANICS], ids=["express", "Sanic's"])
def test_draining_answers_what_has_come(headers: tuple[str, ...]) -> None:
    gate = Gate()

    async def drain(served: Served) -> None:
        connection, idle = await served.connect(), await served.connect()
        connection.post("gate", b"last", *headers)
        await gate.came.acquire()
        draining = asyncio.create_task(served.server.drain(30))
        # Idle connections are let go of.
        assert await idle.reader.read() == b""
        idle.writer.close()
        gate.open.set()
        answer = await connection.reader.read()
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"connection: close\r\n" in answer
        assert answer.endswith(b"last")
        connection.writer.close()
        await draining

    serve({"gate": gate.handler}, drain)
