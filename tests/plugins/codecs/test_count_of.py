"""However long a body, and wherever a byte is in it, it is counted as Python counts it."""

from __future__ import annotations

import pytest
from tfaas_plugins.codecs.values.bounds import count_of


@pytest.mark.parametrize("size", [0, 1, 1 << 14, (1 << 14) + 1, 1 << 18, (1 << 20) + 3])
def test_bytes_are_counted(size: int) -> None:
    for repeated in (b"1.25,", b"[", b'"\xff', b"\x00,,"):
        body = (repeated * size)[:size]
        for mark in (b",", b"[", b'"', b"\xff"):
            assert count_of(body, mark) == body.count(mark)
