"""Scans of a JPEG: how often whoever decodes it goes through all of its pixels."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tfaas_core.errors import TooLarge

MOST_SEGMENTS = 1000
"""Each byte between two of them in the file's head counts as one: Python reads each by itself."""

MOST_EXIF_SEGMENTS = 16
"""Pillow puts them together, and copies all that there is with each of them."""

_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
"""Not a byte of a scan, not one that fills up, and no mark within a scan."""

_STEP_BYTES = 1 << 18
"""As far as is searched before other threads may run."""

_SCAN, _END, _APP1 = 0xDA, 0xD9, 0xE1
_WITH_LENGTH = {*range(0xC0, 0xD0), *range(0xDA, 0xF0), 0xFE} - {0xC8}
_EXIF = b"Exif\0\0"


def scans_of(data: bytes, place: str) -> int:
    """How many there are in a JPEG, as far as it can be read.

    ``place`` is how messages name it. Raises TooLarge for more segments than are read.
    """
    scans = exif_segments = read = end = 0
    for code, begin, after in _segments(data):
        # What stands in a scan, libraries in C read.
        read += 1 if scans else 1 + begin - end
        exif_segments += code == _APP1 and data.startswith(_EXIF, begin + 4)
        if read > MOST_SEGMENTS:
            raise _too_many(place, "segments", MOST_SEGMENTS)
        if exif_segments > MOST_EXIF_SEGMENTS:
            raise _too_many(place, "segments of EXIF", MOST_EXIF_SEGMENTS)
        scans += code == _SCAN
        end = after
    return scans


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """The code of each segment up to the picture's end, and where it begins and ends."""
    end = 2
    while (begin := _marker_at(data, end)) is not None:
        code = data[begin + 1]
        end = begin + 2
        if code in _WITH_LENGTH:
            end += max(2, int.from_bytes(data[end : end + 2]))
        yield code, begin, end
        if code == _END:
            return
    yield _END, len(data), len(data)


def _marker_at(data: bytes, begin: int) -> int | None:
    for at in range(begin, len(data), _STEP_BYTES):
        # It has two bytes, of which the second may be in the next step.
        if found := _MARKER.search(data, at, at + _STEP_BYTES + 1):
            return found.start()
    return None


def _too_many(place: str, what: str, most: int) -> TooLarge:
    return TooLarge(
        f"{place} is a JPEG of more than {most} {what}, the most that are read; save it anew with "
        "another program",
        field="image",
        expected=most,
    )
