"""What is compressed once, and how long it is kept."""

from __future__ import annotations

import gzip

import pytest

from tfaas_core.texts.content_encodings import Gzipped, preferred

TEXT = b"hello " * 1000


def test_what_is_known_is_not_compressed_again() -> None:
    gzipped = Gzipped()
    packed = gzipped.of("a", TEXT)
    assert packed is not None
    assert gzip.decompress(packed) == TEXT
    assert gzipped.of("a", TEXT) is packed
    assert gzipped.of("b", b"short") is None


def test_the_last_used_are_kept_within_a_limit() -> None:
    size = len(Gzipped().of("a", TEXT) or b"")
    gzipped = Gzipped(most_bytes=size * 100)
    first = gzipped.of(0, TEXT)
    for key in range(1, 1000):
        assert gzipped.of(0, TEXT) is first
        gzipped.of(key, TEXT)
    assert gzipped.of(0, TEXT) is first
    last = gzipped.of(999, TEXT)
    assert gzipped.of(1, TEXT) is not None
    assert gzipped.of(999, TEXT) is last


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("", ""),
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip, deflate", "gzip"),
        ("zstd;q=0.4, GZIP;q=0.5", "gzip"),
        ("*", "zstd"),
        ("*;q=0.5, zstd;q=0", "gzip"),
        ("*;q=0", ""),
        ("gzip;q=0.5, identity;q=0.9", ""),
        ("gzip, identity", "gzip"),
        ("br, gzip;q=x", ""),
    ],
)
def test_the_encoding_of_an_answer_is_the_one_that_is_preferred(
    accepted: str, encoding: str
) -> None:
    assert preferred(accepted, ("zstd", "gzip")) == encoding
