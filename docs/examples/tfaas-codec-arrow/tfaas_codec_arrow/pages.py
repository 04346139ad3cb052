"""What the pages of a Parquet file expand to: pyarrow tells only afterwards.

The footer says so, too, but nobody holds the pages to that. See parquet.thrift for the numbers of
fields. The bytes are read here, since pyarrow ends the process over some of the footers that are
damaged, if it is asked about columns.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from tfaas_codec_arrow.thrift import Fields, read_struct, size_in, structs_in

_BYTES_OF_A_VALUE = 8
_END_BYTES = 8


def expanded_bytes(body: bytes, enough: int) -> int:
    """What all values take in memory, of 8 bytes at most each; or a number beyond ``enough``.

    Raises ValueError, IndexError and struct.error if the file is damaged.
    """
    expanded = compressed = 0
    for column in _columns(body):
        if size_in(column, 5) == 0:
            continue  # a column without values: pyarrow looks at none of its pages
        start, length = size_in(column, 9), size_in(column, 7)
        if 11 in column and 0 < size_in(column, 11) < start:
            start = size_in(column, 11)
        compressed += length
        # Else a few bytes could be the pages of many columns, and be looked at for each.
        if compressed > len(body):
            raise ValueError("its columns overlap")
        for size in _pages(body, start, start + length):
            expanded += size
            if expanded > enough:
                return expanded
    return expanded


def _columns(body: bytes) -> Iterator[Fields]:
    """The metadata of each column of each row group."""
    (length,) = struct.unpack_from("<I", body, len(body) - _END_BYTES)
    if length > len(body) - _END_BYTES:
        raise ValueError("its footer is cut")
    footer, _ = read_struct(body, len(body) - _END_BYTES - length)
    for group in structs_in(footer, 4):
        for chunk in structs_in(group, 1):
            column = chunk.get(3)
            if type(column) is not dict:
                raise ValueError("a column has no metadata")
            yield column


def _pages(body: bytes, start: int, end: int) -> Iterator[int]:
    """What each page between these bytes expands to."""
    while start < end:
        header, start = read_struct(body, start)
        # Of a page of version 1, a dictionary, and a page of version 2.
        kinds = [header[kind] for kind in (5, 7, 8) if type(header.get(kind)) is dict]
        values = sum(size_in(kind, 1) for kind in kinds)
        yield size_in(header, 2) + _BYTES_OF_A_VALUE * values
        start += size_in(header, 3)
