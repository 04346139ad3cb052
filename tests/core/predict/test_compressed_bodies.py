"""Bodies that are compressed, and answers that are."""

from __future__ import annotations

import asyncio
import gzip
import os
import threading
import tracemalloc
import zlib

import pytest

from tfaas_core.errors import BadBody, TooLarge, Unavailable, UnsupportedMediaType
from tfaas_core.predict import zstandard
from tfaas_core.predict.compressed_answers import compressed_body
from tfaas_core.predict.compressed_bodies import inflated, is_compressed, unpacked_body
from tfaas_core.system.loop.threads import THREADS
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
        ("zstd", compressed_body(TEXT, "zstd")),
    ],
)
def test_what_is_whole_is_read(encoding: str, body: bytes) -> None:
    assert is_compressed(encoding)
    assert inflated(body, encoding, len(TEXT)) == TEXT


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
def test_what_is_not_is_refused(encoding: str) -> None:
    whole = compressed_body(TEXT, encoding)
    middle = len(whole) // 2
    damaged = whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :]
    for body in (b"", b"x", whole[:-1], whole + b"x", damaged):
        with pytest.raises(BadBody, match=f"the body is (not )?{encoding}"):
            inflated(body, encoding, len(TEXT))


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
def test_no_more_is_unpacked_than_may_be(encoding: str) -> None:
    assert inflated(compressed_body(TEXT, encoding), encoding, len(TEXT)) == TEXT
    with pytest.raises(TooLarge):
        inflated(compressed_body(TEXT, encoding), encoding, len(TEXT) - 1)


def test_a_bomb_takes_no_more_memory_than_the_limit() -> None:
    bomb = compressed_body(bytes(256 << 20), "zstd")
    assert len(bomb) < 1 << 15
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            inflated(bomb, "zstd", 4 << 20)
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
def test_a_long_body_is_never_there_twice(encoding: str) -> None:
    text = os.urandom(8 << 20)
    body = compressed_body(text, encoding)
    tracemalloc.start()
    try:
        assert inflated(body, encoding, len(text)) == text
        assert tracemalloc.get_traced_memory()[1] < len(text) * 3 // 2
    finally:
        tracemalloc.stop()
    for wrong in (body[: 1 << 16], body[:-1], body + b"x", body + bytes(1 << 17)):
        with pytest.raises(BadBody, match=f"the body is {encoding}, .*, but (stops|has more)"):
            inflated(wrong, encoding, len(text))


def test_a_window_larger_than_http_allows_is_refused() -> None:
    packer = zstandard.compressor(1, zstandard.MOST_WINDOW_LOG + 2)
    body = packer.compress(bytes(1 << 20)) + packer.flush()
    with pytest.raises(BadBody):
        inflated(body, "zstd", 1 << 20)


@in_event_loop
async def test_what_a_body_unpacks_to_is_in_flight_while_it_is_used() -> None:
    sent = FakeRequest.of("POST", "/v2", GZIP, {"content-encoding": "gzip"})
    async with host_of() as host:
        before = host.in_flight.left
        async with unpacked_body(host, sent, 1 << 20) as body:
            assert body == TEXT
            assert host.in_flight.left == before - len(TEXT)
        assert host.in_flight.left == before
        host.in_flight.left = len(TEXT) - 1
        with pytest.raises(Unavailable):
            async with unpacked_body(host, sent, 1 << 20):
                pass
        assert host.in_flight.left == len(TEXT) - 1


@in_event_loop
async def test_a_body_that_finds_no_room_is_not_unpacked_further() -> None:
    bomb = compressed_body(bytes(64 << 20), "zstd")
    sent = FakeRequest.of("POST", "/v2", bomb, {"content-encoding": "zstd"})
    async with host_of() as host:
        host.in_flight.left = left = 2 << 20
        tracemalloc.start()
        try:
            with pytest.raises(Unavailable):
                async with unpacked_body(host, sent, 100 << 20):
                    pass
            assert tracemalloc.get_traced_memory()[1] < 16 << 20
        finally:
            tracemalloc.stop()
        assert host.in_flight.left == left


@in_event_loop
async def test_no_more_is_unpacked_than_may_ever_be_in_flight() -> None:
    sent = FakeRequest.of("POST", "/v2", GZIP, {"content-encoding": "gzip"})
    most = f"limits.max_bytes_in_flight={len(TEXT) - 1}"
    async with host_of(settings=[most]) as host:
        with pytest.raises(TooLarge):
            async with unpacked_body(host, sent, 1 << 20):
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
            async with asyncio.timeout(60), unpacked_body(host, sent, 1 << 20) as body:
                assert body == TEXT
        finally:
            is_over.set()
            await asyncio.gather(*waiting)


@in_event_loop
async def test_what_is_compressed_twice_is_refused() -> None:
    headers = [("Content-Encoding", "gzip"), ("content-encoding", "GZIP")]
    sent = FakeRequest.of("POST", "/json", gzip.compress(GZIP), headers)
    async with host_of() as host:
        with pytest.raises(UnsupportedMediaType, match="is 'gzip, GZIP'"):
            async with unpacked_body(host, sent, 1 << 20):
                pass


def test_other_encodings_are_refused() -> None:
    assert not is_compressed("identity")
    with pytest.raises(UnsupportedMediaType):
        is_compressed("br")
