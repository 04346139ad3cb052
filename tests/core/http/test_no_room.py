"""What comes of a body for which there is no room is not kept, however many send one at once."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Iterator

import pytest

from tests.core.http.served import Connection, RoutesHost, Served, request, serve_host
from tests.core.http.test_in_flight import Gate, echo, is_refused
from tfaas_core.testing.waiting import eventually

MOST = 1 << 20
MANY = 150
BODY = b"x" * (MOST - 1)
PIECE_BYTES = 200_000
"""What a client has sent by the time that it is refused, or more."""


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


async def sent(connection: Connection, begin: bytes, rest: bytes) -> bytes:
    """The answer to the first of what is sent; the rest follows behind it."""
    connection.writer.write(begin)
    answer = await connection.answer()
    connection.writer.write(rest)
    assert not await connection.reader.read()
    return answer


@pytest.mark.usefixtures("traced")
def test_many_that_are_refused_at_once_take_no_memory() -> None:
    gate = Gate()
    host = RoutesHost({"gate": gate.handler, "echo": echo}, f"limits.max_bytes_in_flight={MOST}")

    async def ask(served: Served) -> None:
        holder = await served.connect()
        holder.post("gate", b"x" * (MOST // 2))
        await gate.came.acquire()
        connections = [await served.connect() for _ in range(MANY)]
        data = request("echo", BODY)
        begin, rest = data[:PIECE_BYTES], data[PIECE_BYTES:]
        before, _peak = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(sent(each, begin, rest)) for each in connections]
        assert all(is_refused(each.result()) for each in tasks)
        _after, peak = tracemalloc.get_traced_memory()
        assert peak - before < MANY * PIECE_BYTES // 4
        gate.open.set()
        assert (await holder.answer()).endswith(b"done")
        await eventually(lambda: host.in_flight.left == MOST, "nothing counts any more")
        later = await served.connect()
        later.post("echo", BODY)
        assert (await later.answer()).endswith(BODY)

    serve_host(host, ask)
