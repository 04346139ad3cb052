"""Requests that come in several pieces are gathered, and then taken as those that come whole."""

from __future__ import annotations

import json
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

from tests.core.http.predicting import Doubling, doubling_host
from tests.core.http.served import Connection, RoutesHost, Served, request, serve_host
from tfaas_core.host import Host
from tfaas_core.http.express import ExpressLane
from tfaas_core.http.router import Router
from tfaas_core.route import ClientAddress, Request, Response, Route
from tfaas_core.routing.seam import sealed
from tfaas_core.testing.waiting import eventually

ROWS = 400
BODY = json.dumps({"values": [[1.5, 2, 3]] * ROWS}).encode()
ANSWER = json.dumps([[3.0, 4.0, 6.0]] * ROWS, separators=(",", ":")).encode()


async def echo(asked: Request) -> Response:
    return Response(asked.body)


def _has_left(host: Host, left: int) -> bool:
    return host.in_flight.left == left


async def in_pieces(host: Host, connection: Connection, *pieces: bytes) -> None:
    """Sends all of them, each but the first once the one before has come."""
    head = pieces[0].index(b"\r\n\r\n") + 4
    for number, piece in enumerate(pieces[:-1]):
        # A head does not count, as it does not otherwise.
        left = host.in_flight.left - len(piece) + (0 if number else head)
        connection.writer.write(piece)
        await eventually(partial(_has_left, host, left), "it came")
    connection.writer.write(pieces[-1])


def test_a_prediction_that_comes_in_pieces_takes_the_short_way(tmp_path: Path) -> None:
    engine = Doubling()
    host = doubling_host(tmp_path, engine=engine)
    sent = request("json", BODY)
    head = len(sent) - len(BODY)

    async def ask(served: Served) -> None:
        connection = await served.connect()
        connection.post("json", BODY)
        assert (await connection.answer()).endswith(ANSWER)
        begun = engine.begun
        for cuts in ((head,), (head + 1, head + 2, len(sent) - 1)):
            bounds = [0, *cuts, len(sent)]
            pieces = [sent[begin:end] for begin, end in pairwise(bounds)]
            await in_pieces(host, connection, *pieces)
            assert (await connection.answer()).endswith(ANSWER)
        assert engine.begun == begun + 2

    serve_host(host, ask)


@pytest.mark.parametrize("behind", [b"", request("echo", b"the next one")])
def test_what_follows_a_gathered_request_is_answered_behind_it(behind: bytes) -> None:
    host = RoutesHost({"echo": echo})
    first, second = request("echo", b"a body"), request("echo", b"the next one")

    async def ask(served: Served) -> None:
        connection = await served.connect()
        await in_pieces(host, connection, first[:-3], first[-3:] + behind)
        assert (await connection.answer()).endswith(b"a body")
        if not behind:
            connection.writer.write(second)
        assert (await connection.answer()).endswith(b"the next one")
        assert host.in_flight.left == host.in_flight.most_bytes

    serve_host(host, ask)


def test_only_plain_requests_of_some_length_are_gathered() -> None:
    route = sealed(Route("/json", ("POST",), echo, express=True))
    lane = ExpressLane(Router([route]), max_body_bytes=1 << 30)

    def size_of(length: int) -> int:
        head = request("json", b"", "X: 1").replace(b"Length: 0", b"Length: %d" % length)
        data = head + b"half a body"
        assert lane.request(data, ClientAddress()) is None
        head_bytes, body_bytes = lane.sizes_of(data)
        assert head_bytes == (len(head) if body_bytes else 0)
        return body_bytes

    assert size_of(1000) == 1000
    assert size_of(1 << 20) == 1 << 20
    assert size_of(1 + (1 << 20)) == 0
    assert lane.sizes_of(b"POST /json HTTP/1.1\r\nHost: x\r\nContent-Le") == (0, 0)
