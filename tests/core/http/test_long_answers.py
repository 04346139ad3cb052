"""Long answers: sent in pieces, as their clients take them, and counted until then."""

from __future__ import annotations

import asyncio
import os

import pytest

from tests.core.http.served import SANICS, RoutesHost, Served, serve_host
from tfaas_core.http.long_answers import send_long
from tfaas_core.observer import CUT, Answered, Observer
from tfaas_core.route import Request, Response, Route
from tfaas_core.routing.in_flight import LONG_BYTES, InFlight
from tfaas_core.routing.observers import Observers
from tfaas_core.routing.seam import SealedRoute, sealed
from tfaas_core.testing.fake_request import FakeRequest
from tfaas_core.testing.waiting import eventually

SIZE = 32 * LONG_BYTES
LONG = os.urandom(LONG_BYTES) * 32

both_lanes = pytest.mark.parametrize("headers", [(), SANICS], ids=["express", "sanic"])


async def long(_request: Request) -> Response:
    return Response(LONG, media_type="application/x-protobuf", headers={"X-One": "1"})


async def short(_request: Request) -> Response:
    return Response(LONG[:9], media_type="application/x-protobuf", headers={"X-One": "1"})


@both_lanes
def test_it_comes_whole_as_short_ones_do_and_others_follow(headers: tuple[str, ...]) -> None:
    async def test(served: Served) -> None:
        connection = await served.connect()
        connection.post("short", b"", *headers)
        usual, _, body = (await connection.answer()).partition(b"\r\n\r\n")
        assert body == LONG[:9]
        for _ in range(2):
            connection.post("long", b"", *headers)
            head, _, body = (await connection.answer()).partition(b"\r\n\r\n")
            assert body == LONG
            announced = head.lower().replace(b"%d" % SIZE, b"9").split(b"\r\n")
            assert sorted(announced) == sorted(usual.lower().split(b"\r\n"))

    serve_host(RoutesHost({"long": long, "short": short}), test)


class FastClient:
    """Takes each piece at once. ``sent``: how long it was, and in which turn of the loop it came"""

    def __init__(self) -> None:
        self.sent: list[tuple[int, int]] = []
        self.turn = 0

    async def turns(self) -> None:
        while True:
            self.turn += 1
            await asyncio.sleep(0)

    async def send(self, piece: bytes) -> None:
        self.sent.append((len(piece), self.turn))

    async def end(self) -> None:
        pass

    def cut(self) -> None:
        pass

    def is_gone(self, error: BaseException) -> bool:
        return False


def test_others_have_their_turn_between_pieces_however_fast_the_client_is() -> None:
    async def test() -> FastClient:
        client = FastClient()
        turning = asyncio.create_task(client.turns())
        asked = FakeRequest.of("POST", "/long")
        answer, passage = await long(asked), sealed(Route("/long", ("POST",), long)).passage
        await send_long(client, asked, answer, passage, InFlight(SIZE))
        turning.cancel()
        return client

    sizes, turns = zip(*asyncio.run(test()).sent, strict=True)
    assert sum(sizes) == SIZE
    assert max(sizes) <= LONG_BYTES // 4
    assert len({*turns}) == len(turns)


@both_lanes
@pytest.mark.parametrize("is_taken", [True, False])
def test_it_counts_until_its_client_has_taken_it_or_is_gone(
    headers: tuple[str, ...], is_taken: bool
) -> None:
    host = RoutesHost({"long": long}, f"limits.max_bytes_in_flight={2 * SIZE}")

    async def test(served: Served) -> None:
        connections = [await served.connect() for _ in range(3)]
        for connection in connections:
            connection.post("long", b"", *headers)
        # All that are there are sent, also beyond it.
        await eventually(lambda: host.in_flight.left == 0, "no room")
        for connection in connections:
            if is_taken:
                assert len(await connection.answer()) > SIZE
            else:
                connection.writer.transport.abort()
        most_bytes = host.in_flight.most_bytes
        await eventually(lambda: host.in_flight.left == most_bytes, "all of the room")

    serve_host(host, test)


class Told(Observer):
    """Keeps what it is told: of each answer its status, code and bytes."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, str, int]] = []

    def answered(self, answer: Answered) -> None:
        self.answers.append((answer.status, answer.code, answer.answer_bytes))


class ToldHost(RoutesHost):
    """Tells ``observer`` of long answers and short ones, to POST, GET and HEAD."""

    def __init__(self) -> None:
        super().__init__({})
        self.observer = Told()

    def routes(self) -> list[SealedRoute]:
        told = Observers([(self.observer, "tfaas_told")])
        return [
            sealed(Route(f"/{kind.__name__}", ("GET", "POST"), kind, express=True), observers=told)
            for kind in (long, short)
        ]


@both_lanes
def test_observers_are_told_at_its_end_or_its_cut_and_of_what_was_sent(
    headers: tuple[str, ...],
) -> None:
    host = ToldHost()
    answers = host.observer.answers

    async def test(served: Served) -> None:
        connection = await served.connect()
        connection.post("long", b"", *headers)
        await connection.reader.readuntil(b"\r\n\r\n")
        await connection.reader.readexactly(LONG_BYTES)
        assert answers == []
        await connection.reader.readexactly(SIZE - LONG_BYTES)
        await eventually(lambda: answers == [(200, "", SIZE)], "it is told of")
        connection.post("long", b"", *headers)
        await connection.reader.readexactly(LONG_BYTES)
        connection.writer.transport.abort()
        await eventually(lambda: len(answers) == 2, "its cut is told of")

    serve_host(host, test)
    status, code, sent = answers[1]
    assert (status, code) == (200, CUT)
    assert LONG_BYTES // 2 < sent < SIZE


def test_what_head_does_not_send_does_not_count() -> None:
    host = ToldHost()

    async def test(served: Served) -> None:
        connection = await served.connect()
        for name, length in (("long", SIZE), ("short", 9)):
            connection.writer.write(f"HEAD /{name} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            head = await connection.reader.readuntil(b"\r\n\r\n")
            assert b"content-length: %d\r\n" % length in head

    serve_host(host, test)
    assert host.observer.answers == [(200, "", 0), (200, "", 0)]
