"""TFRecord: TensorFlow's file of records, each with its length and checksums."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import IO

_HEAD = struct.Struct("<QI")
_CHECKSUM = struct.Struct("<I")


class DamagedRecord(Exception):
    """What is wrong with a record, of which ``read_bytes`` were read.

    ``ends``: nobody knows where the next one begins.
    """

    def __init__(self, reason: str, read_bytes: int = 0, ends: bool = False) -> None:
        super().__init__(reason)
        self.read_bytes = read_bytes
        self.ends = ends


def records_in(file: IO[bytes], most_bytes: int) -> Iterator[bytes | DamagedRecord]:
    """The records of a file, in order, none of them longer than ``most_bytes``.

    A record that is longer, or damaged, comes as a DamagedRecord; after one that ``ends``, there
    are no others. Raises OSError.
    """
    size_bytes = os.fstat(file.fileno()).st_size
    while head := file.read(_HEAD.size):
        try:
            yield _record(file, head, size_bytes, most_bytes)
        except DamagedRecord as damaged:
            yield damaged
            if damaged.ends:
                return


def _record(file: IO[bytes], head: bytes, size_bytes: int, most_bytes: int) -> bytes:
    if len(head) < _HEAD.size:
        raise _cut()
    length, checksum = _HEAD.unpack(head)
    if checksum != masked_crc32c(head[:8]):
        raise DamagedRecord("the checksum of its length is wrong", ends=True)
    end = file.tell() + length + _CHECKSUM.size
    if end > size_bytes:
        raise _cut()
    if length > most_bytes:
        file.seek(end)
        raise DamagedRecord(f"it has {length} bytes, {most_bytes} are allowed")
    content = file.read(length)
    (checksum,) = _CHECKSUM.unpack(file.read(_CHECKSUM.size).ljust(_CHECKSUM.size, b"\0"))
    if checksum != masked_crc32c(content):
        raise DamagedRecord("its checksum is wrong", length)
    return content


def _cut() -> DamagedRecord:
    return DamagedRecord("the file ends in it", ends=True)


def masked_crc32c(content: bytes) -> int:
    """The checksum that TFRecord keeps of ``content``: CRC-32C, masked."""
    crc = 0xFFFFFFFF
    for byte in content:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _row(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
    return byte


_TABLE = tuple(map(_row, range(256)))
