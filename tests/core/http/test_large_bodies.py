"""Large bodies come whole, without copies on the way, and end as small ones do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.http.served import RoutesHost, Served, request, serve, serve_host
from tests.core.http.test_in_flight import Gate, echo, is_refused
from tfaas_core.http.body_room import BodyRoom
from tfaas_core.http.protocol import TfaasProtocol

BODY = bytes(range(256)) * (1 << 13)
MOST = 300_000
HALF = b"x" * 200_000


@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=40_000)), max_size=12))
def test_a_body_is_its_pieces_in_order(pieces: list[tuple[bool, bytes]]) -> None:
    """Whether they are copied, or written to their place."""
    room = BodyRoom()
    left = len(whole := b"".join(piece for _, piece in pieces))
    for is_copied, piece in pieces:
        rest = b"" if is_copied else piece
        if is_copied:
            room.add(piece)
        while rest:
            place = room.place(left)
            size = min(len(place), len(rest))
            assert size <= len(place) <= left
            place[:size], rest = rest[:size], rest[size:]
            room.came(size)
            left -= size
        left -= len(piece) if is_copied else 0
    assert room.whole() == whole


@pytest.fixture
def copied(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How many bytes came in pieces, of which a body is a copy."""
    sizes: list[int] = []
    take = TfaasProtocol.data_received

    def spied(self: TfaasProtocol, data: bytes) -> None:
        sizes.append(len(data))
        take(self, data)

    monkeypatch.setattr(TfaasProtocol, "data_received", spied)
    return lambda: sum(sizes)


def test_what_comes_behind_the_first_piece_is_not_copied(copied: Callable[[], int]) -> None:
    async def ask(served: Served) -> None:
        connection = await served.connect()
        head, body = request("echo", BODY)[: -len(BODY)], memoryview(BODY)
        connection.writer.write(head + body[:1000])
        await connection.writer.drain()
        connection.writer.write(body[1000:])
        assert (await connection.answer()).endswith(BODY)
        assert copied() < len(BODY) // 2

    serve({"echo": echo}, ask)


def test_requests_behind_a_large_body_are_answered_in_order() -> None:
    async def ask(served: Served) -> None:
        connection = await served.connect()
        sent = [BODY[: 300_000 * (number % 3)] + b"%d" % number for number in range(9)]
        connection.writer.write(b"".join(request("echo", body) for body in sent))
        for body in sent:
            assert (await connection.answer()).endswith(b"\r\n\r\n" + body)

    serve({"echo": echo}, ask)


def test_one_that_has_no_room_amid_its_arrival_is_a_503_and_others_go_on() -> None:
    gate = Gate()
    host = RoutesHost({"gate": gate.handler, "echo": echo}, f"limits.max_bytes_in_flight={MOST}")
    data = request("echo", HALF)

    async def ask(served: Served) -> None:
        one, other = await served.connect(), await served.connect()
        one.writer.write(data[:-1])
        while host.in_flight.left > MOST - len(HALF) + 1:
            await asyncio.sleep(0)
        other.writer.write(data[:-1])
        answer = await other.answer()
        assert is_refused(answer)
        one.writer.write(data[-1:])
        assert (await one.answer()).endswith(HALF)
        while host.in_flight.left != MOST:
            await asyncio.sleep(0)

    serve_host(host, ask)


def test_a_client_that_is_gone_amid_a_large_body_leaves_nothing() -> None:
    host = RoutesHost({"echo": echo}, f"limits.max_bytes_in_flight={MOST}")

    async def ask(served: Served) -> None:
        connection = await served.connect()
        connection.writer.write(request("echo", HALF)[:-1])
        while host.in_flight.left > MOST - len(HALF) + 1:
            await asyncio.sleep(0)
        connection.writer.transport.abort()
        while host.in_flight.left != MOST or served.connections:
            await asyncio.sleep(0)

    serve_host(host, ask)
