"""What a body expands to is known before it does."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from tables import LIMIT, NAN, file, read, stream

from tfaas_core.errors import TooLarge

ZEROS = pa.table({"a": np.zeros(400_000, np.float32), "b": np.zeros(400_000, np.float32)})
NULLS = pa.table({"a": pa.nulls(400_000, pa.float32()), "b": pa.nulls(400_000, pa.float32())})


@pytest.mark.parametrize(
    "body",
    [
        stream(ZEROS, compression="zstd"),
        stream(ZEROS, compression="lz4"),
        file(ZEROS),
        file(ZEROS, use_dictionary=False, compression="zstd"),
        file(ZEROS, data_page_version="2.0", compression="zstd"),
        file(NULLS),
        # A column of nulls has no bytes, however many they are.
        stream(pa.table({"a": pa.nulls(2), "b": pa.nulls(2)})).replace(
            struct.pack("<q", 2), struct.pack("<q", 10**12)
        ),
    ],
)
def test_a_small_body_of_many_rows_is_refused_before_it_is_expanded(body: bytes) -> None:
    assert len(body) < LIMIT // 10
    with (
        peak_memory() as peak_bytes,
        pytest.raises(TooLarge, match="the limit is 1000000"),
    ):
        read(body, NAN)
    assert peak_bytes() < LIMIT // 10


def test_a_footer_that_lies_of_its_pages_is_no_matter() -> None:
    body = file(ZEROS, use_dictionary=False, compression="zstd")
    column = parquet.ParquetFile(pa.BufferReader(body)).metadata.row_group(0).column(0)
    said, lie = varint(column.total_uncompressed_size), varint(1_100_000)
    assert said in body
    assert len(said) == len(lie)
    with peak_memory() as peak_bytes, pytest.raises(TooLarge):
        read(body.replace(said, lie))
    assert peak_bytes() < LIMIT // 10


@contextmanager
def peak_memory() -> Iterator[Callable[[], int]]:
    """What pyarrow has taken at most, in bytes."""
    usual = pa.default_memory_pool()
    pool = pa.proxy_memory_pool(usual)
    pa.set_memory_pool(pool)
    try:
        yield pool.max_memory
    finally:
        pa.set_memory_pool(usual)


def varint(number: int) -> bytes:
    """An integer as Thrift's compact protocol spells it."""
    number, spelt = number << 1, b""
    while number > 0x7F:
        spelt += bytes([number & 0x7F | 0x80])
        number >>= 7
    return spelt + bytes([number])
