"""Large answers: compressed for whom takes that, and accounted for until they are sent."""

from __future__ import annotations

import asyncio
from collections.abc import Generator

import numpy as np
import pytest

from tfaas_core.codec import Encoded
from tfaas_core.errors import TfaasError, TooLarge, Unavailable
from tfaas_core.fields import Headers
from tfaas_core.predict.compressed_bodies import inflated
from tfaas_core.predict.large_answers import large_answer
from tfaas_core.predict.prediction import LARGE_ANSWER_BYTES, large_prediction, take_long
from tfaas_core.route import Head, Response
from tfaas_core.routing.in_flight import InFlight
from tfaas_core.tensors import Array
from tfaas_core.testing.hosts import host_of
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.models import model_version

TYPE = "application/json"
SHORT = b"some text" * 10_000
LONG = b"some more" * 200_000


def asking(*accepted: str) -> Head:
    return Head(headers=Headers(("accept-encoding", each) for each in accepted))


async def whole(response: Response) -> bytes:
    if response.stream is None:
        return response.body
    return b"".join([piece async for piece in response.stream])


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
@pytest.mark.parametrize("body", [SHORT, LONG], ids=["short", "long"])
@in_event_loop
async def test_it_is_compressed_as_the_client_asks(body: bytes, encoding: str) -> None:
    async with host_of() as host:
        headers = {"TFaaS-Model": "sum/1"}
        answer = await large_answer(host, asking("br", encoding), Encoded(body, TYPE), headers)
        assert answer.headers == {
            "TFaaS-Model": "sum/1",
            "Vary": "Accept-Encoding",
            "Content-Encoding": encoding,
        }
        packed = await whole(answer)
        assert len(packed) < len(body) // 10
        assert inflated(packed, encoding, len(body)) == body


@pytest.mark.parametrize(
    ("accepted", "settings", "given", "headers"),
    [
        ("", (), {}, {"Vary": "Accept-Encoding"}),
        ("gzip;q=0, identity", (), {}, {"Vary": "Accept-Encoding"}),
        ("br", (), {"vary": "Origin"}, {"vary": "Origin, Accept-Encoding"}),
        ("gzip", ("server.compress_answers=false",), {}, {}),
        ("gzip", (), {"content-encoding": "br"}, {"content-encoding": "br"}),
    ],
    ids=["unasked", "refused", "unknown", "off", "done by the codec"],
)
@in_event_loop
async def test_else_it_is_sent_as_it_is(
    accepted: str, settings: tuple[str, ...], given: dict[str, str], headers: dict[str, str]
) -> None:
    async with host_of(settings=list(settings)) as host:
        answer = await large_answer(host, asking(accepted), Encoded(SHORT, TYPE), given)
        assert (answer.body, answer.stream, answer.headers) == (SHORT, None, headers)


@pytest.mark.parametrize("accepted", ["", "gzip"])
@in_event_loop
async def test_what_pieces_are_made_of_is_in_flight_until_they_are_sent(accepted: str) -> None:
    closed = []

    def pieces() -> Generator[bytes]:
        try:
            yield from (LONG, SHORT)
        finally:
            closed.append(True)

    async with host_of() as host:
        most = host.in_flight.most_bytes
        encoded = Encoded(b"", TYPE, pieces=pieces())
        answer = await large_answer(host, asking(accepted), encoded, {}, 1000)
        body = await whole(answer)
        assert (inflated(body, accepted, len(LONG + SHORT)) if accepted else body) == LONG + SHORT
        assert (closed, host.in_flight.left) == ([True], most)

        encoded = Encoded(b"", TYPE, pieces=pieces())
        answer = await large_answer(host, asking(accepted), encoded, {}, 1000)
        assert answer.stream is not None
        await anext(answer.stream)
        assert host.in_flight.left == most - 1000
        await answer.stream.aclose()  # type: ignore[attr-defined]
        assert (closed, host.in_flight.left) == ([True, True], most)


def test_many_outputs_take_as_long_as_one_of_their_size() -> None:
    small = np.zeros(LARGE_ANSWER_BYTES // 4, np.uint8)
    assert not take_long([small] * 4)
    assert take_long([small] * 5)


@pytest.mark.parametrize(
    ("most", "left", "error"), [(1000, 999, Unavailable), (999, 999, TooLarge)], ids=["now", "ever"]
)
@in_event_loop
async def test_what_there_is_no_room_for_is_not_even_written(
    most: int, left: int, error: type[TfaasError]
) -> None:
    in_flight = InFlight(most)
    in_flight.left = left

    async def write() -> Encoded:
        raise AssertionError("nobody calls it")

    outputs: list[Array] = [np.zeros(125, np.float64)]
    with pytest.raises(error, match=r"limits\.max_bytes_in_flight"):
        await large_prediction(write, outputs, model_version(), in_flight)
    assert in_flight.left == left


@in_event_loop
async def test_outputs_are_in_flight_while_they_are_written() -> None:
    in_flight = InFlight(1000)
    outputs: list[Array] = [np.zeros(100, np.float64)]

    async def write_whole() -> Encoded:
        assert in_flight.left == 0  # beside them, the answer has all that there is
        return Encoded(bytes(900), TYPE)

    prediction = await large_prediction(write_whole, outputs, model_version(), in_flight)
    assert (prediction.held_bytes, in_flight.left) == (0, 1000)

    async def write_pieces() -> Encoded:
        in_flight.left -= 100  # another one came meanwhile
        return Encoded(b"", TYPE, pieces=(bytes(each) for each in (1, 2)))

    async def write_too_much() -> Encoded:
        return Encoded(bytes(900), TYPE)

    prediction = await large_prediction(write_pieces, outputs, model_version(), in_flight)
    assert (prediction.held_bytes, in_flight.left) == (800, 900)
    in_flight.left = 850
    with pytest.raises(Unavailable):
        await large_prediction(write_too_much, outputs, model_version(), in_flight)
    assert in_flight.left == 850


@in_event_loop
async def test_outputs_in_shared_memory_wait_for_room_and_are_written_then() -> None:
    in_flight = InFlight(1000)

    async def write() -> Encoded:
        return Encoded(b"written", TYPE)

    with in_flight.held(201):
        outputs: list[Array] = [np.zeros(100, np.float64)]
        writing = asyncio.ensure_future(
            large_prediction(write, outputs, model_version(), in_flight)
        )
        await asyncio.sleep(0)
        assert not writing.done()
    assert (await writing).encoded.body == b"written"
    assert in_flight.left == 1000
