"""Large answers: compressed for whom takes that, and accounted for until they are sent."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tfaas_core.codec import Encoded
from tfaas_core.fields import Headers
from tfaas_core.predict.compressed_bodies import inflated
from tfaas_core.predict.large_answers import large_answer
from tfaas_core.route import Head, Response
from tfaas_core.testing.hosts import host_of
from tfaas_core.testing.loops import in_event_loop

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
