"""Requests that are answered without a coroutine: nothing else about them is any different."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from tests.core.http.served import Connection, RoutesHost, Served, serve_host
from tfaas_core.errors import DoesNotFit, QueueFull
from tfaas_core.observer import Answered, Observer
from tfaas_core.route import Begun, Head, Request, Response, Route, TakeAnswer
from tfaas_core.routing.observers import Observers
from tfaas_core.routing.seam import SealedRoute, sealed
from tfaas_core.visit import Visit

FULL = QueueFull("full")
Answer = Callable[[Request], Response | BaseException]


def echo(asked: Request) -> Response | BaseException:
    return Response(asked.body, headers={"X": "1"})


class Short:
    """Takes what does not ask for the handler, and answers in the next turn of the event loop.

    ``holds``: only when it is told to.
    """

    def __init__(self, answer: Answer = echo, holds: bool = False) -> None:
        self.answer = answer
        self.holds = holds
        self.waiting: list[tuple[Request, TakeAnswer]] = []
        self.came = asyncio.Semaphore(0)
        self.cancelled = asyncio.Event()

    def takes(self, head: Head) -> bool:
        return "x-handler" not in head.headers

    def begin(self, request: Request, visit: Visit | None, reply: TakeAnswer) -> Begun | None:
        if request.body == b"not as usual":
            return None
        if request.body == b"refused":
            raise FULL
        self.waiting.append((request, reply))
        self.came.release()
        if not self.holds:
            asyncio.get_running_loop().call_soon(self.reply)
        return self

    def cancel(self) -> bool:
        self.cancelled.set()
        return True

    def reply(self) -> None:
        waiting, self.waiting = self.waiting, []
        for request, reply in waiting:
            reply(self.answer(request))


class ShortHost(RoutesHost):
    def __init__(self, short: Short) -> None:
        super().__init__({})
        self.short = short
        self.handled = 0

    async def handler(self, asked: Request) -> Response:
        self.handled += 1
        if asked.body == b"refused":
            raise FULL
        answer = self.short.answer(asked)
        if isinstance(answer, Response):
            return answer
        raise answer

    def routes(self) -> list[SealedRoute]:
        route = Route(
            "/it", ("POST",), self.handler, express=True, short=self.short, right="predict"
        )
        return [sealed(route, is_ours=True, observers=self.told)]


async def connected(served: Served) -> Connection:
    """A connection whose first request, which is the handler's, was answered."""
    connection = await served.connect()
    connection.post("it", b"0", "X-Handler: 1")
    await connection.answer()
    return connection


@pytest.mark.parametrize(
    "answer",
    [echo, lambda asked: FULL, lambda asked: ValueError("a bug")],
    ids=["ok", "503", "500"],
)
def test_the_answer_is_the_same_as_the_handlers(answer: Answer) -> None:
    async def compare(served: Served) -> None:
        connection = await connected(served)
        answers = []
        for headers in ((), ("X-Handler: 1",)):
            connection.post("it", b"1", *headers)
            answers.append(await connection.answer())
        assert answers[0] == answers[1]
        assert host.handled == 2

    host = ShortHost(Short(answer))
    serve_host(host, compare)


class Told(Observer):
    """Keeps the statuses of what it is told of, and of what is audited."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.audits: list[int] = []

    def answered(self, answer: Answered) -> None:
        self.answers.append(answer.status)

    def audited(self, answer: Answered) -> None:
        self.audits.append(answer.status)


@pytest.mark.parametrize(("answer", "status"), [(echo, 200), (lambda asked: DoesNotFit("no"), 422)])
def test_observers_are_told_of_it_and_auditors_of_refusals_alone(
    answer: Answer, status: int
) -> None:
    async def ask(served: Served) -> None:
        connection = await connected(served)
        del told.answers[:], told.audits[:]
        connection.post("it", b"1")
        await connection.answer()
        assert host.handled == 1
        assert (told.answers, told.audits) == ([status], [])

    host, told = ShortHost(Short(answer)), Told()
    host.told = Observers([(told, "tfaas_told")])
    serve_host(host, ask)


@pytest.mark.parametrize("body", [b"not as usual", b"refused"])
def test_what_is_not_as_usual_or_refused_is_answered_all_the_same(body: bytes) -> None:
    async def compare(served: Served) -> None:
        connection = await connected(served)
        answers = []
        for headers in ((), ("X-Handler: 1",)):
            connection.post("it", body, *headers)
            answers.append(await connection.answer())
        assert answers[0] == answers[1]
        assert host.handled == (2 if body == b"refused" else 3)

    host = ShortHost(Short())
    serve_host(host, compare)


def test_requests_that_come_early_are_answered_in_order() -> None:
    async def pipeline(served: Served) -> None:
        connection = await connected(served)
        connection.post("it", b"1")
        await host.short.came.acquire()
        for number in range(2, 10):
            connection.post("it", b"%d" % number, *(["X-Handler: 1"] if number % 4 == 3 else []))
        host.short.holds = False
        host.short.reply()
        for number in range(1, 10):
            assert (await connection.answer()).endswith(b"\r\n\r\n%d" % number)

    host = ShortHost(Short(holds=True))
    serve_host(host, pipeline)


def test_a_request_whose_client_is_gone_is_given_up() -> None:
    async def go(served: Served) -> None:
        free = host.in_flight.left
        connection = await connected(served)
        connection.post("it", b"12345")
        await host.short.came.acquire()
        assert host.in_flight.left == free - 5
        connection.writer.transport.abort()
        await host.short.cancelled.wait()
        assert host.in_flight.left == free

    host = ShortHost(Short(holds=True))
    serve_host(host, go)


@pytest.mark.parametrize("is_answered", [True, False])
def test_what_a_request_gives_back_pays_for_an_answer_that_had_no_room(is_answered: bool) -> None:
    async def go(served: Served) -> None:
        in_flight = host.in_flight
        connection = await connected(served)
        connection.post("it", b"12345")
        await host.short.came.acquire()
        in_flight.take(in_flight.left + 5)
        if is_answered:
            host.short.reply()
            await connection.answer()
        else:
            connection.writer.transport.abort()
            await host.short.cancelled.wait()
        assert in_flight.left == 0

    host = ShortHost(Short(holds=True))
    serve_host(host, go)


def test_the_last_request_of_a_server_is_answered_before_it_ends() -> None:
    async def drain(served: Served) -> None:
        connection = await connected(served)
        connection.post("it", b"1")
        await host.short.came.acquire()
        draining = asyncio.create_task(served.server.drain(20))
        await asyncio.sleep(0)
        host.short.reply()
        assert (await connection.answer()).endswith(b"\r\n\r\n1")
        assert await connection.reader.read() == b""
        connection.writer.close()
        await draining

    host = ShortHost(Short(holds=True))
    serve_host(host, drain)


def test_what_a_server_does_not_wait_for_is_given_up() -> None:
    async def drain(served: Served) -> None:
        connection = await connected(served)
        connection.post("it", b"1")
        await host.short.came.acquire()
        await served.server.drain(0)
        await host.short.cancelled.wait()

    host = ShortHost(Short(holds=True))
    serve_host(host, drain)
