"""What the header of a batch says: pyarrow expands the batch, and tells only afterwards."""

from __future__ import annotations

import struct
from typing import Any

import msgspec
import pyarrow as pa


class BatchHeader(msgspec.Struct, frozen=True):
    """``buffers``: where in the message's body each begins, if they are compressed; else none."""

    rows: int
    buffers: list[int]


def batch_header(metadata: pa.Buffer) -> BatchHeader:
    """Reads the header of a message that is a record batch, which pyarrow has verified.

    It is a FlatBuffer: see Message.fbs and Schema.fbs of Arrow. Raises struct.error.
    """
    reader = _Reader(memoryview(metadata))
    batch = reader.table_at(reader.field(reader.table_at(0), 2))
    rows, compression = reader.field(batch, 0), reader.field(batch, 3)
    buffers: list[int] = []
    if compression is not None and (at := reader.field(batch, 2)) is not None:
        at += reader.number("<I", at)
        count = reader.number("<I", at)
        buffers = [
            offset
            for offset, length in struct.iter_unpack("<qq", reader.view[at + 4 :][: 16 * count])
            if length
        ]
    return BatchHeader(0 if rows is None else reader.number("<q", rows), buffers)


def expanded_bytes(message: Any, header: BatchHeader) -> int:
    """What the compressed buffers of a batch expand to.

    Each begins with that. Raises struct.error.
    """
    if not header.buffers:
        return 0
    body = memoryview(message.body)
    sizes = (struct.unpack_from("<q", body, offset)[0] for offset in header.buffers)
    return sum(size for size in sizes if size > 0)  # -1: it is not compressed


class _Reader(msgspec.Struct, frozen=True):
    view: memoryview

    def number(self, form: str, at: int) -> int:
        (number,) = struct.unpack_from(form, self.view, at)
        return int(number)

    def table_at(self, at: int | None) -> int:
        """Where the table is to which the offset at ``at`` leads."""
        if at is None:
            raise struct.error("a header is missing")
        return at + self.number("<I", at)

    def field(self, table: int, index: int) -> int | None:
        """Where a table's field is; None if it has the default."""
        fields = table - self.number("<i", table)
        entry = 4 + 2 * index
        if entry >= self.number("<H", fields):
            return None
        offset = self.number("<H", fields + entry)
        return table + offset if offset else None
