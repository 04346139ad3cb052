"""What RFC 9112 forbids is a 400 and the end of the connection, on both lanes, in any pieces."""

from __future__ import annotations

import asyncio
import random
from itertools import pairwise

import pytest

from tests.core.http.served import SANICS, Connection, Served, request, serve
from tests.core.http.variants import ALLOWED, FORBIDDEN, PAIRS
from tfaas_core.http.grammar import MAX_HEAD_BYTES, Chunks, Malformed
from tfaas_core.route import Request, Response
from tfaas_core.testing.tries import tries


async def echo(asked: Request) -> Response:
    return Response(asked.body)


async def refused(connection: Connection, what: str) -> None:
    """The next answer is a 400, says why in a sentence, and nothing follows it."""
    answer = await connection.reader.read()
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n"), (what, answer)
    assert answer.count(b"HTTP/1.1 400") == 1, (what, answer)
    assert b"\r\nconnection: close\r\n" in answer, (what, answer)
    assert b'{"error":"this is not ' in answer, (what, answer)


@pytest.mark.parametrize("table", FORBIDDEN)
@pytest.mark.parametrize("cuts", [[], [12, -3]], ids=["whole", "in pieces"])
@pytest.mark.parametrize("before", [b"", b"plain"], ids=["first", "behind a plain one"])
def test_it_is_a_400_and_the_connection_ends(table: str, cuts: list[int], before: bytes) -> None:
    async def speak(served: Served) -> None:
        for name, data in FORBIDDEN[table].items():
            connection = await served.connect()
            if before:
                connection.post("echo", before)
                assert (await connection.answer()).endswith(before)
            for start, end in pairwise([0, *cuts, len(data)]):
                connection.writer.write(data[start:end])
                await asyncio.sleep(0)
            await refused(connection, name)

    serve({"echo": echo}, speak)


@pytest.mark.parametrize("table", FORBIDDEN)
@pytest.mark.parametrize("headers", [(), SANICS], ids=["express", "Sanic's"])
def test_it_is_a_400_behind_another_request_of_the_same_packet(
    table: str, headers: tuple[str, ...]
) -> None:
    async def speak(served: Served) -> None:
        for name, data in FORBIDDEN[table].items():
            connection = await served.connect()
            connection.writer.write(request("echo", b"first", *headers) + data)
            assert (await connection.answer()).endswith(b"first")
            await refused(connection, name)

    serve({"echo": echo}, speak)


def test_no_second_request_is_found_in_what_is_refused() -> None:
    async def speak(served: Served) -> None:
        for name, data in PAIRS.items():
            connection = await served.connect()
            connection.writer.write(data)
            await refused(connection, name)

    serve({"echo": echo}, speak)


@pytest.mark.parametrize("size", [1000, 1, 3, 17])
def test_what_is_allowed_is_answered_in_any_pieces(size: int) -> None:
    async def speak(served: Served) -> None:
        for name, data in ALLOWED.items():
            connection = await served.connect()
            for at in range(0, len(data), size):
                connection.writer.write(data[at : at + size])
                await asyncio.sleep(0)
            answer = await connection.answer()
            assert answer.startswith(b"HTTP/1.1 200 OK\r\n"), (name, answer)
            assert answer.endswith(b"\r\n\r\nhello"), (name, answer)
            if b"connection: keep-alive" in answer:
                connection.post("echo", b"next")
                assert (await connection.answer()).endswith(b"next"), name

    serve({"echo": echo}, speak)


def test_a_chunked_body_is_the_same_however_it_is_cut() -> None:
    rng = random.Random(17)
    for _ in range(tries(200)):
        pieces = [rng.randbytes(rng.choice((1, 2, 15, 300))) for _ in range(rng.randrange(9))]
        sent = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
        sent += b"0\r\nX: 1\r\n\r\nthe next"
        chunks, buffer, got = Chunks(), bytearray(), b""
        while not chunks.is_done:
            cut = rng.randrange(1, 40)
            buffer += sent[:cut]
            sent = sent[cut:]
            while piece := chunks.take(buffer):
                got += piece
        assert got == b"".join(pieces)
        assert bytes(buffer) + sent == b"the next"


def test_a_body_of_tiny_chunks_comes_in_bounded_steps() -> None:
    chunks, buffer = Chunks(), bytearray(b"1\r\nx\r\n" * 50_000)
    steps = []
    while piece := chunks.take(buffer):
        steps.append(len(piece))
    assert sum(steps) == 50_000
    assert max(steps) < 5_000


def test_what_was_refused_stays_refused() -> None:
    chunks, buffer = Chunks(), bytearray(b"0x5\r\n")
    for _ in range(2):
        with pytest.raises(Malformed):
            chunks.take(buffer)


@pytest.mark.parametrize("end", [b"\r\n\r\n", b""], ids=["whole", "endless"])
@pytest.mark.parametrize("headers", [(), SANICS], ids=["express", "Sanic's"])
def test_a_head_that_is_too_long_is_a_431(headers: tuple[str, ...], end: bytes) -> None:
    async def speak(served: Served) -> None:
        connection = await served.connect()
        head = request("echo", b"", *headers).removesuffix(b"\r\n\r\n")
        connection.writer.write(head + b"\r\nA: " + b"x" * MAX_HEAD_BYTES + end)
        answer = await connection.reader.read()
        assert answer.startswith(b"HTTP/1.1 431 "), answer
        assert b"its headers are longer than 16384 bytes" in answer
        assert b"\r\nconnection: close\r\n" in answer

    serve({"echo": echo}, speak)
