"""Usual JPEGs, as cameras and most programs write them: their headers, read with few steps.

Whatever is not as usual is left to Pillow. What is damaged otherwise, whoever decodes it notices.
"""

from __future__ import annotations

from struct import Struct as Layout

import msgspec
import numpy as np

_BEGINNING_BYTES = 2
_HEAD = Layout(">BBH")
"""Of a segment: its marker, and its length from there on."""

_FRAME = Layout(">BHHB")
"""Of a picture: bits of a value, height, width and channels."""

_CHANNEL_BYTES = 3
_MARK = 0xFF
_FRAMES = (0xC0, 0xC1)
"""Of one that is gone through once, if it has one scan."""

_SCAN = 0xDA
_EXIF = 0xE1
"""Or XMP."""
_OTHERS = frozenset((*range(0xE0, 0xF0), 0xC4, 0xDB, 0xDD, 0xFE))
"""What programs, cameras and people say, tables, and how often a scan begins anew."""

_MOST_SEGMENTS = 16
_STEP_BYTES = 1 << 18
"""As far as is searched before other threads may run. Python's own search takes longer."""


class JpegHeader(msgspec.Struct, frozen=True):
    """What stands before the first scan, which is at ``end``. ``size``: width and height.

    ``is_upright``: there is nothing that could say otherwise.
    """

    size: tuple[int, int]
    is_upright: bool
    end: int


def usual_jpeg(data: bytes) -> tuple[int, int] | None:
    """Width and height of a JPEG of one scan, of 8 bits, in grey or colour; None if anything about
    its header is unusual. ``data`` begins as a JPEG does."""
    header = jpeg_header(data)
    # What else looks like a scan, in a table say, is not worth a look.
    return None if header is None or _has_scan(data, header.end) else header.size


def jpeg_header(data: bytes | memoryview) -> JpegHeader | None:
    """The header of such a JPEG, of however many scans."""
    size, at, is_upright = None, _BEGINNING_BYTES, True
    for _ in range(_MOST_SEGMENTS):
        if at + _HEAD.size > len(data):
            return None
        mark, code, length = _HEAD.unpack_from(data, at)
        begin, end = at + _HEAD.size, at + 2 + length
        if mark != _MARK or end < begin or end > len(data):
            return None
        if code == _SCAN:
            return None if size is None else JpegHeader(size, is_upright, end)
        if code in _FRAMES:
            if size is not None or (size := _size_of(data, begin, end)) is None:
                return None
        elif code not in _OTHERS:
            return None
        is_upright = is_upright and code != _EXIF
        at = end
    return None


def _size_of(data: bytes | memoryview, begin: int, end: int) -> tuple[int, int] | None:
    if begin + _FRAME.size > end:
        return None
    bits, height, width, channels = _FRAME.unpack_from(data, begin)
    is_usual = bits == 8 and height and width and channels in (1, 3)
    if not is_usual or end - begin != _FRAME.size + _CHANNEL_BYTES * channels:
        return None
    return width, height


def _has_scan(data: bytes, begin: int) -> bool:
    for at in range(begin, len(data), _STEP_BYTES):
        piece = np.frombuffer(data, np.uint8, min(_STEP_BYTES + 1, len(data) - at), at)
        scans = piece[:-1] == _MARK
        scans &= piece[1:] == _SCAN
        if scans.any():
            return True
    return False
