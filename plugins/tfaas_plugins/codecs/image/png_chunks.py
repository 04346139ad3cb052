"""Chunks of a PNG: which of them are read, and how many there may be."""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct as Layout

from tfaas_core.errors import TooLarge

MOST_CHUNKS = 1000
"""Beside one for each kibibyte of the file: Python reads each by itself."""

_BYTES_A_CHUNK = 1024
_SIGNATURE_BYTES = 8
_HEAD = Layout(">I4s")
_AROUND_BYTES = 12
"""Of a chunk: its length, its name, and its checksum."""

_UNREAD = (b"iCCP", b"tEXt", b"zTXt", b"iTXt")
_READ_TEXTS = (b"Raw profile type exif", b"XML:com.adobe.xmp")
"""They may say how the picture is to be turned."""


def without_texts(data: bytes, place: str) -> bytes:
    """The PNG without its texts and profiles, but for those that say how it is to be turned.

    A few bytes of these unpack to a megabyte, and a text may have the name of something else that
    Pillow knows of a picture. ``place`` is how messages name it. Raises TooLarge for more chunks
    than a PNG of this length may have.
    """
    most = most_chunks(len(data))
    kept: list[memoryview] = []
    kept_to = count = 0
    texts = set(_READ_TEXTS)
    for name, begin, end in chunks_of(data):
        count += 1
        if count > most:
            raise _too_many(place, len(data), most)
        if name not in _UNREAD:
            continue
        key = data[begin + 8 : begin + 8 + max(map(len, _READ_TEXTS)) + 1].partition(b"\0")[0]
        if name != b"iCCP" and key in texts:
            texts.remove(key)
            continue
        kept.append(memoryview(data)[kept_to:begin])
        kept_to = end
    return b"".join((*kept, memoryview(data)[kept_to:])) if kept else data


def most_chunks(length: int) -> int:
    """How many a PNG of so many bytes may have."""
    return MOST_CHUNKS + length // _BYTES_A_CHUNK


def chunks_of(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """The name of each chunk, and where it begins and ends, as far as there are whole ones."""
    begin = _SIGNATURE_BYTES
    while begin + _AROUND_BYTES <= len(data):
        length, name = _HEAD.unpack_from(data, begin)
        end = begin + _AROUND_BYTES + length
        if end > len(data):
            return
        yield name, begin, end
        begin = end


def _too_many(place: str, length: int, most: int) -> TooLarge:
    return TooLarge(
        f"{place} is a PNG of more than {most} chunks, the most that are read of {length} bytes; "
        "save it anew with another program",
        field="image",
        expected=most,
    )
