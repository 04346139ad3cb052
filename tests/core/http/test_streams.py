"""Streamed answers end whole, or visibly not, and are let go of at once."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import cast

import pytest

from tests.core.http.served import Connection, RoutesHost, Served, serve_host
from tfaas_core.errors import Unavailable
from tfaas_core.observer import CUT, Answered, Observer
from tfaas_core.route import Handler, Request, Response
from tfaas_core.routing import seam, way_back
from tfaas_core.routing.observers import Observers
from tfaas_core.testing.waiting import eventually

PIECE = b"a piece\n"


class StreamsHost(RoutesHost):
    """Answers on one lane, or on the other."""

    def __init__(self, handlers: dict[str, Handler], express: bool, *settings: str) -> None:
        self.express = express
        super().__init__(handlers, *settings)


@pytest.fixture(params=[False, True], ids=["sanic", "express"])
def express(request: pytest.FixtureRequest) -> bool:
    """Whether requests go past Sanic."""
    return bool(request.param)


def streaming(*pieces: object, length: int | None = None) -> Handler:
    """A handler whose answer is made of ``pieces``, and raises those that are errors."""

    async def stream() -> AsyncIterator[bytes]:
        for piece in pieces:
            if isinstance(piece, BaseException):
                raise piece
            yield cast(bytes, piece)

    async def handler(_request: Request) -> Response:
        headers = {} if length is None else {"Content-Length": str(length)}
        return Response(headers=headers, stream=stream())

    return handler


async def everything(connection: Connection) -> bytes:
    """What comes until the server closes the connection."""
    got = b""
    try:
        while data := await connection.reader.read(1 << 16):
            got += data
    except ConnectionError:
        pass
    return got


@pytest.mark.parametrize(
    ("handler", "told"),
    [
        (streaming(PIECE, ValueError("no")), "ValueError"),
        (streaming(PIECE, PIECE, Unavailable("no share")), "no share"),
        (streaming(PIECE, SystemExit(3)), "SystemExit"),
        (streaming(PIECE, KeyboardInterrupt()), "KeyboardInterrupt"),
        (streaming(PIECE, GeneratorExit()), "GeneratorExit"),
        (streaming(PIECE, asyncio.CancelledError()), "CancelledError"),
        (streaming(PIECE, "text"), "TypeError"),
        (streaming(PIECE, ValueError("no"), length=100), "ValueError"),
        (streaming(PIECE, length=100), "ServerError|ValueError"),
        (streaming(PIECE, PIECE, length=len(PIECE)), "ServerError|ValueError"),
    ],
)
def test_one_that_fails_midway_is_cut_and_logged(
    handler: Handler, told: str, express: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(served: Served) -> None:
        connection = await served.connect()
        connection.post("stream")
        got = await everything(connection)
        head, _, body = got.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        assert PIECE in body
        assert not body.endswith(b"0\r\n\r\n")

    serve_host(StreamsHost({"stream": handler}, express), test)
    (record,) = [record for record in caplog.records if record.name == "tfaas.http"]
    assert "POST /stream: the streamed answer failed after" in record.getMessage()
    assert re.search(told, record.getMessage())


@pytest.mark.parametrize(
    ("first", "status"),
    [
        (Unavailable("no share"), 503),
        (ValueError("no"), 500),
        (SystemExit(3), 500),
        (KeyboardInterrupt(), 500),
        (GeneratorExit(), 500),
        (asyncio.CancelledError(), 500),
        ("text", 500),
    ],
)
def test_one_that_fails_before_its_first_piece_is_an_error(
    first: object, status: int, express: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(served: Served) -> None:
        connection = await served.connect()
        for _turn in range(2):
            connection.post("stream")
            answer = await connection.answer()
            assert answer.startswith(b"HTTP/1.1 %d " % status)
            assert b"content-type: application/json" in answer

    serve_host(StreamsHost({"stream": streaming(b"", first)}, express), test)
    assert len(caplog.records) == (2 if status == 500 else 0)


def test_one_that_exits_when_it_is_closed_is_logged(
    express: bool, caplog: pytest.LogCaptureFixture
) -> None:
    class Pieces:
        def __aiter__(self) -> Pieces:
            return self

        async def __anext__(self) -> bytes:
            raise StopAsyncIteration

        async def aclose(self) -> None:
            raise SystemExit

    async def handler(_request: Request) -> Response:
        return Response(stream=Pieces())

    async def test(served: Served) -> None:
        connection = await served.connect()
        for _turn in range(2):
            connection.post("stream")
            assert (await connection.answer()).startswith(b"HTTP/1.1 200 ")

    serve_host(StreamsHost({"stream": handler}, express), test)
    assert {record.message for record in caplog.records} == {
        "a streamed answer could not be closed"
    }


def test_one_that_ends_well_leaves_its_connection_open(express: bool) -> None:
    async def test(served: Served) -> None:
        connection = await served.connect()
        for _turn in range(2):
            connection.post("stream")
            got = await connection.reader.readuntil(b"\r\n0\r\n\r\n")
            assert got.count(PIECE) == 2

    serve_host(StreamsHost({"stream": streaming(PIECE, PIECE)}, express), test)


@pytest.mark.parametrize("reads", [True, False])
def test_a_stream_is_closed_as_soon_as_its_client_is_gone(reads: bool, express: bool) -> None:
    closed = asyncio.Event()

    async def stream() -> AsyncIterator[bytes]:
        try:
            yield PIECE
            while not reads:
                yield bytes(1 << 20)
            await asyncio.Event().wait()
        finally:
            closed.set()

    async def handler(_request: Request) -> Response:
        return Response(stream=stream())

    async def test(served: Served) -> None:
        connection = await served.connect()
        connection.post("stream")
        await connection.reader.readuntil(PIECE)
        assert not closed.is_set()
        connection.writer.transport.abort()
        await asyncio.wait_for(closed.wait(), 30)

    serve_host(StreamsHost({"stream": handler}, express), test)


class Told(Observer):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, str, int]] = []

    def answered(self, answer: Answered) -> None:
        self.answers.append((answer.status, answer.code, answer.answer_bytes))


@pytest.mark.parametrize(
    ("handler", "told"),
    [
        (streaming(PIECE, PIECE), (200, "", 2 * len(PIECE))),
        (streaming(), (200, "", 0)),
        (streaming(PIECE, ValueError("no")), (200, CUT, len(PIECE))),
        (streaming(Unavailable("no share")), (503, "unavailable", 80)),
    ],
)
def test_observers_are_told_at_the_end_of_a_stream(
    handler: Handler, told: tuple[int, str, int], express: bool
) -> None:
    observer = Told()
    host = StreamsHost({"stream": handler}, express)
    host.told = Observers([(observer, "tfaas_told")])

    async def test(served: Served) -> None:
        connection = await served.connect()
        connection.post("stream", b"", "Connection: close")
        await everything(connection)

    serve_host(host, test)
    ((status, code, answer_bytes),) = observer.answers
    assert (status, code) == told[:2]
    assert answer_bytes == told[2] or status == 503


def test_observers_are_told_of_a_client_that_is_gone(express: bool) -> None:
    observer = Told()

    async def stream() -> AsyncIterator[bytes]:
        yield PIECE
        await asyncio.Event().wait()

    async def handler(_request: Request) -> Response:
        return Response(stream=stream())

    host = StreamsHost({"stream": handler}, express)
    host.told = Observers([(observer, "tfaas_told")])

    async def test(served: Served) -> None:
        connection = await served.connect()
        connection.post("stream")
        await connection.reader.readuntil(PIECE)
        connection.writer.transport.abort()
        await eventually(lambda: bool(observer.answers), "the end is told")

    serve_host(host, test)
    assert observer.answers == [(200, CUT, len(PIECE))]


def test_observers_are_told_of_a_client_that_goes_before_the_first_piece(
    express: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A handler is called behind one that is written at once, and must not fit into any buffer.
    for module in (seam, way_back):
        monkeypatch.setattr(module, "LONG_BYTES", 1 << 26)
    observer, came, closed = Told(), asyncio.Event(), asyncio.Event()

    class Pieces:
        def __aiter__(self) -> Pieces:
            return self

        async def __anext__(self) -> bytes:
            return PIECE

        async def aclose(self) -> None:
            closed.set()

    async def large(_request: Request) -> Response:
        return Response(bytes(1 << 25))

    async def handler(_request: Request) -> Response:
        came.set()
        return Response(stream=Pieces())

    host = StreamsHost({"large": large, "stream": handler}, express)
    host.told = Observers([(observer, "tfaas_told")])

    async def test(served: Served) -> None:
        connection = await served.connect()
        connection.post("large")
        await connection.reader.readexactly(1)
        # Its answer waits until the client has read the one before.
        connection.post("stream")
        await came.wait()
        connection.writer.transport.abort()
        await closed.wait()

    serve_host(host, test)
    assert observer.answers == [(200, "", 1 << 25), (200, CUT, 0)]
