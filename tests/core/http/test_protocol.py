"""The express lane and Sanic's, on one connection: no answer is lost."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable

import pytest

from tests.core.http.served import SANICS, WITHIN_S, Served, request, serve
from tfaas_core.http.protocol import TfaasProtocol
from tfaas_core.route import Request, Response


async def echo(asked: Request) -> Response:
    return Response(asked.body)


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


def protocols() -> int:
    gc.collect()
    return sum(type(each) is TfaasProtocol for each in gc.get_objects())


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0)


@pytest.mark.parametrize("sent", [b"", b"POST", request("echo"), request("echo", b"", *SANICS)])
def test_nothing_stays_of_a_connection_that_its_client_has_ended(sent: bytes) -> None:
    async def come_and_go(served: Served) -> None:
        for _ in range(20):
            connection = await served.connect()
            connection.writer.write(sent)
            if sent.endswith(b"\r\n"):
                await connection.answer()
            await _until(lambda: served.connections == 1)
            connection.writer.transport.abort()
            await _until(lambda: served.connections == 0)
        await _until(lambda: protocols() == before)

    before = protocols()
    serve({"echo": echo}, come_and_go)


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


@pytest.mark.parametrize("part", [b"POST /js", request("gate", b"", *SANICS)[:-2]])
def test_draining_lets_go_of_a_head_that_came_in_part(
    part: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async def drain(served: Served) -> None:
        connection = await served.connect()
        connection.post("echo", b"first")
        await connection.answer()
        connection.writer.write(part)
        draining = asyncio.create_task(served.server.drain(2 * WITHIN_S))
        assert await connection.reader.read() == b""
        connection.writer.close()
        await draining

    serve({"gate": Gate().handler, "echo": echo}, drain)
    assert caplog.records == []


@pytest.mark.parametrize(
    "part",
    [request("wait", b"a body")[:-1], request("wait", b"a body"), b"POST /wait"],
    ids=["of a body", "whole", "of a head"],
)
def test_what_is_cut_at_the_end_of_draining_is_said_in_one_line(
    part: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async def drain(served: Served) -> None:
        connection = await served.connect()
        connection.writer.write(part)
        await served.server.drain(0.1)
        assert await connection.reader.read() == b""

    serve({"wait": Gate().handler}, drain)
    assert [record.getMessage() for record in caplog.records] == [
        "connections that were still busy 0.1 s after the stop were cut: 1"
    ]


def test_clients_that_are_sent_away_have_their_answers_and_are_told_to_leave() -> None:
    async def ask(served: Served) -> None:
        connections = [await served.connect() for _ in range(3)]
        for connection in connections:
            connection.post("echo")
            assert b"connection: keep-alive" in await connection.answer()
        for _ in range(2):
            served.server.send_away(1)
        lasts = []
        for connection in connections:
            connection.post("echo", b"last")
            lasts.append(await connection.answer())
        assert all(answer.endswith(b"last") for answer in lasts)
        assert sum(b"connection: close" in answer for answer in lasts) == 2
        for connection, answer in zip(connections, lasts, strict=True):
            if b"connection: close" in answer:
                assert await connection.reader.read() == b""
            else:
                connection.post("echo", b"more")
                assert (await connection.answer()).endswith(b"more")

    serve({"echo": echo}, ask)


def test_a_server_that_rests_keeps_its_connections_and_accepts_again() -> None:
    async def ask(served: Served) -> None:
        early = await served.connect()
        early.post("echo")
        await early.answer()
        served.server.rest()
        assert not served.server.is_accepting
        waiting = await served.connect()
        waiting.post("echo", b"waits")
        early.post("echo", b"stays")
        assert (await early.answer()).endswith(b"stays")
        assert served.connections == 1
        await served.server.accept()
        assert (await waiting.answer()).endswith(b"waits")

    serve({"echo": echo}, ask)


def test_a_server_that_drains_does_not_accept_again() -> None:
    async def ask(served: Served) -> None:
        await served.server.drain(1)
        await served.server.accept()
        assert not served.server.is_accepting

    serve({"echo": echo}, ask)
