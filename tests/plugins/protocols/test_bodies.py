"""Bodies that are compressed, and answers that are."""

from __future__ import annotations

import asyncio
import gzip
import threading
import zlib

import pytest
from tfaas_plugins.protocols.bodies import compressed, inflated, is_compressed, unpacked
from tfaas_plugins.protocols.oip.accept import best_encoding

from tfaas_core.errors import BadBody, TooLarge, Unavailable, UnsupportedMediaType
from tfaas_core.predict.threads import THREADS
from tfaas_core.testing.fake_request import FakeRequest
from tfaas_core.testing.hosts import host_of
from tfaas_core.testing.loops import in_event_loop

TEXT = b"some text" * 1000
GZIP = gzip.compress(TEXT, mtime=0)


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", GZIP),
        (" X-GZIP", GZIP),
        ("deflate", zlib.compress(TEXT)),
    ],
)
def test_what_is_whole_is_read(encoding: str, body: bytes) -> None:
    assert is_compressed(encoding)
    assert inflated(body, encoding, len(TEXT)) == TEXT


@pytest.mark.parametrize("body", [b"", b"x", GZIP[:-1], GZIP + b"x"])
def test_what_is_not_is_refused(body: bytes) -> None:
    with pytest.raises(BadBody):
        inflated(body, "gzip", len(TEXT))


def test_no_more_is_unpacked_than_may_be() -> None:
    with pytest.raises(TooLarge):
        inflated(GZIP, "gzip", len(TEXT) - 1)


@in_event_loop
async def test_what_a_body_unpacks_to_is_in_flight_while_it_is_used() -> None:
    sent = FakeRequest.of("POST", "/v2", GZIP, {"content-encoding": "gzip"})
    async with host_of() as host:
        before = host.in_flight.left
        async with unpacked(host, sent, 1 << 20) as body:
            assert body == TEXT
            assert host.in_flight.left == before - len(TEXT)
        assert host.in_flight.left == before
        host.in_flight.left = len(TEXT) - 1
        with pytest.raises(Unavailable):
            async with unpacked(host, sent, 1 << 20):
                pass
        assert host.in_flight.left == len(TEXT) - 1


@in_event_loop
async def test_no_more_is_unpacked_than_may_ever_be_in_flight() -> None:
    sent = FakeRequest.of("POST", "/v2", GZIP, {"content-encoding": "gzip"})
    most = f"limits.max_bytes_in_flight={len(TEXT) - 1}"
    async with host_of(settings=[most]) as host:
        with pytest.raises(TooLarge):
            async with unpacked(host, sent, 1 << 20):
                pass


@in_event_loop
async def test_a_body_is_unpacked_whatever_other_threads_wait_for() -> None:
    sent = FakeRequest.of("POST", "/v2", GZIP, {"content-encoding": "gzip"})
    async with host_of() as host:
        is_over = threading.Event()
        waiting = [
            host.predictor.in_thread(is_over.wait, kind=kind)
            for kind in ("", "json", "oip", "tfserving")
            for _ in range(THREADS)
        ]
        try:
            async with asyncio.timeout(60), unpacked(host, sent, 1 << 20) as body:
                assert body == TEXT
        finally:
            is_over.set()
            await asyncio.gather(*waiting)


def test_other_encodings_are_refused() -> None:
    assert not is_compressed("identity")
    with pytest.raises(UnsupportedMediaType):
        is_compressed("br")


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_an_answer_is_read_again(encoding: str) -> None:
    assert inflated(compressed(TEXT, encoding), encoding, len(TEXT)) == TEXT


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("", ""),
        ("gzip, deflate, br", "gzip"),
        ("br", ""),
        ("gzip;q=0.2, deflate;q=0.5", "deflate"),
        ("gzip;q=0.5, identity;q=0.9", ""),
        ("gzip;q=0", ""),
        ("gzip;q=x", ""),
        ("*", ""),
    ],
)
def test_the_encoding_of_an_answer_is_the_one_that_is_preferred(
    accepted: str, encoding: str
) -> None:
    assert best_encoding(accepted) == encoding
