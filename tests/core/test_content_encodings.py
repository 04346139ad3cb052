"""What is compressed once, and how long it is kept."""

from __future__ import annotations

import gzip

from tfaas_core.content_encodings import Gzipped

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
