"""Bodies that are compressed, and answers that are."""

from __future__ import annotations

import gzip
import zlib

import pytest
from tfaas_plugins.protocols.bodies import compressed, inflated, is_compressed
from tfaas_plugins.protocols.oip.accept import best_encoding

from tfaas_core.errors import BadBody, TooLarge, UnsupportedMediaType

TEXT = b"some text" * 1000


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(TEXT)),
        (" X-GZIP", gzip.compress(TEXT)),
        ("deflate", zlib.compress(TEXT)),
    ],
)
def test_what_is_whole_is_read(encoding: str, body: bytes) -> None:
    assert is_compressed(encoding)
    assert inflated(body, encoding, len(TEXT)) == TEXT


@pytest.mark.parametrize("body", [b"", b"x", gzip.compress(TEXT)[:-1], gzip.compress(TEXT) + b"x"])
def test_what_is_not_is_refused(body: bytes) -> None:
    with pytest.raises(BadBody):
        inflated(body, "gzip", len(TEXT))


def test_no_more_is_unpacked_than_may_be() -> None:
    with pytest.raises(TooLarge):
        inflated(gzip.compress(TEXT), "gzip", len(TEXT) - 1)


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
