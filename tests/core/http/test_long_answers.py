"""Long answers: sent in pieces, as their clients take them, and counted until then."""

from __future__ import annotations

import asyncio
import os

import pytest

from tests.core.http.served import SANICS, RoutesHost, Served, serve_host
from tfaas_core.http.long_answers import LONG_BYTES, send_long
from tfaas_core.route import Request, Response
from tfaas_core.routing.in_flight import InFlight
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
        await send_long(client, LONG, InFlight(SIZE))
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
