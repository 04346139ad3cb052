"""Bodies in memory have a budget, of which each gives back what it took, however it ends."""

from __future__ import annotations

import asyncio

import pytest

from tests.core.http.served import SANICS, Connection, RoutesHost, Served, request, serve_host
from tfaas_core.route import Handler, Request, Response
from tfaas_core.routing.in_flight import LONG_BYTES
from tfaas_core.testing.waiting import eventually

MOST = 1000
HALF = b"x" * 600

LANES: dict[str, tuple[str, ...]] = {"express": (), "Sanic's": SANICS}


class Gate:
    """A handler that answers when it is ``open``."""

    def __init__(self) -> None:
        self.came = asyncio.Semaphore(0)
        self.open = asyncio.Event()

    async def handler(self, _asked: Request) -> Response:
        self.came.release()
        await self.open.wait()
        return Response(b"done")


async def echo(asked: Request) -> Response:
    return Response(asked.body)


async def fail(_asked: Request) -> Response:
    raise ValueError("a bug")


def chunked(body: bytes) -> bytes:
    head = b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


def is_refused(answer: bytes) -> bool:
    return answer.startswith(b"HTTP/1.1 503 ") and (
        b"\r\nRetry-After: 1\r\n" in answer and b"limits.max_bytes_in_flight" in answer
    )


async def refused(connection: Connection, data: bytes) -> bool:
    connection.writer.write(data)
    return is_refused(await connection.answer())


@pytest.mark.parametrize("first", LANES)
@pytest.mark.parametrize("second", [*LANES, "chunked"])
def test_what_does_not_fit_is_a_503_until_there_is_room(first: str, second: str) -> None:
    gate = Gate()
    host = RoutesHost({"gate": gate.handler, "echo": echo}, f"limits.max_bytes_in_flight={MOST}")
    data = chunked(HALF) if second == "chunked" else request("echo", HALF, *LANES[second])

    async def ask(served: Served) -> None:
        holder = await served.connect()
        holder.post("gate", HALF, *LANES[first])
        await gate.came.acquire()
        assert await refused(await served.connect(), data)
        small = await served.connect()
        small.post("echo", b"x" * 300)
        assert (await small.answer()).endswith(b"x" * 300)
        gate.open.set()
        assert (await holder.answer()).endswith(b"done")
        later = await served.connect()
        later.writer.write(data)
        assert (await later.answer()).endswith(HALF)
        assert host.in_flight.left == MOST

    serve_host(host, ask)


def test_a_body_that_could_never_fit_is_a_413() -> None:
    host = RoutesHost({"echo": echo}, f"limits.max_bytes_in_flight={MOST}")

    async def ask(served: Served) -> None:
        for data in (request("echo", b"x" * 1001), chunked(b"x" * 1001)):
            connection = await served.connect()
            connection.writer.write(data)
            assert (await connection.answer()).startswith(b"HTTP/1.1 413 ")
        assert host.in_flight.left == MOST

    serve_host(host, ask)


@pytest.mark.parametrize("lane", LANES)
def test_bodies_that_come_piece_by_piece_take_what_has_come(lane: str) -> None:
    host = RoutesHost({"echo": echo}, f"limits.max_bytes_in_flight={MOST}")
    data = request("echo", HALF, *LANES[lane])

    async def ask(served: Served) -> None:
        one, other = await served.connect(), await served.connect()
        for connection in (one, other):
            connection.writer.write(data[:-1])
        while host.in_flight.left != MOST - 599:
            await asyncio.sleep(0)
        assert is_refused(await other.answer())
        one.writer.write(data[-1:])
        assert (await one.answer()).endswith(HALF)
        assert host.in_flight.left == MOST

    serve_host(host, ask)


ENDINGS = {
    "an error": request("fail", HALF, *SANICS),
    "an error of a plain one": request("fail", HALF),
    "a broken chunk": chunked(HALF)[:-9] + b"broken",
    "a client that is gone": request("echo", HALF, *SANICS)[:-1],
    "a client that is gone amid its answer": request("gate", HALF, *SANICS),
    "a plain client that is gone": request("gate", HALF),
    "a plain client that is gone amid its body": request("echo", HALF)[:-1],
}


@pytest.mark.parametrize("name", ENDINGS)
def test_it_is_given_back_however_a_request_ends(name: str) -> None:
    gate = Gate()
    handlers: dict[str, Handler] = {"gate": gate.handler, "echo": echo, "fail": fail}
    host = RoutesHost(handlers, f"limits.max_bytes_in_flight={MOST}")

    async def ask(served: Served) -> None:
        connection = await served.connect()
        connection.writer.write(ENDINGS[name])
        if "gone" in name:
            while host.in_flight.left == MOST:
                await asyncio.sleep(0)
            connection.writer.transport.abort()
        else:
            await connection.answer()
        while host.in_flight.left != MOST:
            await asyncio.sleep(0)

    serve_host(host, ask)


def test_an_answer_that_waits_until_its_client_reads_those_before_counts() -> None:
    came = asyncio.Semaphore(0)

    async def large(_asked: Request) -> Response:
        came.release()
        return Response(bytes(LONG_BYTES))

    async def ask(served: Served) -> None:
        in_flight, connection = host.in_flight, await served.connect()
        while in_flight.left == in_flight.most_bytes:
            connection.post("large", b"")
            await came.acquire()
        assert in_flight.left == in_flight.most_bytes - LONG_BYTES
        connection.writer.transport.abort()
        await eventually(lambda: in_flight.left == in_flight.most_bytes, "all of it is back")

    host = RoutesHost({"large": large})
    serve_host(host, ask)
