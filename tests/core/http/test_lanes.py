"""The express lane and Sanic's give the same answers, bugs of handlers included."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, ClassVar

import pytest

from tests.core.http.served import SANICS, Connection, Served, serve
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
